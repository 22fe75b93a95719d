"""Web pages and archives of them: the main text that trafilatura finds, where ``groundup[web]`` is installed."""

from __future__ import annotations

import codecs
import importlib
import importlib.util
import itertools
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import MISSING, Reader, Row, reads_files
from pipeline.sources.opening import COMPRESSED, opened

_BLOCK = 2**20
"""Bytes that warcio reads at a time: a line of a damaged header is put together block by block, in square time."""
LARGEST_PAGE = 10_000_000
"""Bytes; a larger page is passed over, it is data under the name of a page."""

_REMEDY = "install what reads it with pip install 'groundup[web]'"
_PAGES_BETWEEN = 1000
"""After so many pages what the libraries remember of them is thrown away."""
_STATED_DATE = {"original_date": True, "extensive_search": False}
"""A date that the page states; to guess one from its text takes as long as all the rest."""
_HTML = ("text/html", "application/xhtml+xml")
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)


def _where_installed(*suffixes: str, libraries: tuple[str, ...]) -> Any:
    """Register a reader if its libraries are there; else what to do about it."""

    def register(reader: Reader) -> Reader:
        if all(importlib.util.find_spec(library) for library in libraries):
            return reads_files(*suffixes, compressed=True, beside_data=True)(reader)
        MISSING.update({s + packed: _REMEDY for s in suffixes for packed in ("", *COMPRESSED)})
        return reader

    return register


@_where_installed(".html", ".htm", libraries=("trafilatura",))
def read_html(path: Path) -> Iterator[Row]:
    """Columns ``text``, ``url`` and ``date``: the page's main text; no row where it has none."""
    _require_extractor(path)
    with opened(path) as file:
        content = file.read(LARGEST_PAGE + 1)
    page = _page(content, "")
    if page is not None:
        yield _row(page, page.url or "", page.date or "", str(path))


@_where_installed(".warc", libraries=("trafilatura", "warcio"))
def read_warc(path: Path) -> Iterator[Row]:
    """The same of every HTML page that a server gave, in a web archive; grouped by host.

    The date is the page's own, or else the day it was stored. Pages that cannot be made out are passed over.
    """
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    class Quiet(ArchiveIterator):
        INC_RECORD = ""  # its warning of a record that no new line follows

    _require_extractor(path)
    number = 0
    with opened(path) as file:
        try:
            records = Quiet(file, no_record_parse=True, block_size=_BLOCK)
            for number, record in enumerate(records, start=1):
                yield from _pages_of_record(record, f"{path} record {number}")
                _require_whole(record, f"{path} record {number}")
        except ArchiveLoadFailed as error:
            raise _broken(f"{path} record {number + 1}", first_line(error)) from None


def _require_extractor(path: Path) -> None:
    """Make sure of trafilatura, which may be installed and still lack a library of its own; and keep it quiet."""
    try:
        importlib.import_module("trafilatura")
    except ImportError as error:
        raise GroundupError(str(path), f"trafilatura does not run ({first_line(error)})", _REMEDY) from None
    for library in (
        "trafilatura",
        "htmldate",
        "courlan",
        "warcio",
    ):  # a word on every page without text is too many
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _pages_of_record(record: Any, place: str) -> Iterator[Row]:
    """The row of a record, where it is a page that can be made out."""
    url = record.rec_headers.get_header("WARC-Target-URI") or ""
    stored = (record.rec_headers.get_header("WARC-Date") or "").partition("T")[0]
    try:
        content = _html(record)
    except GroundupError:  # the archive's, not the page's
        raise
    except Exception:  # whatever a server sent as headers or compressed, the other pages can be read
        return
    page = _page(content, url)
    if page is not None:
        yield _row(page, url, page.date or stored, f"{place} {url}")


def _html(record: Any) -> bytes | str:
    """Content of a page that a server answered with, in the character set that it named; else nothing."""
    from warcio.statusandheaders import StatusAndHeadersParser

    if record.rec_type != "response":
        return b""
    record.http_headers = StatusAndHeadersParser(["HTTP/1.0", "HTTP/1.1"]).parse(record.raw_stream)
    kind = record.http_headers.get_header("Content-Type") or ""
    if record.http_headers.get_statuscode() != "200" or kind.partition(";")[0].strip().lower() not in _HTML:
        return b""
    content = record.content_stream().read(LARGEST_PAGE + 1)
    named = _CHARSET.search(kind)
    return content.decode(named[1], "replace") if named and _is_known(named[1]) else content


def _is_known(charset: str) -> bool:
    try:
        return codecs.lookup(charset)._is_text_encoding
    except LookupError:
        return False


def _page(content: bytes | str, url: str) -> Any:
    """What trafilatura makes of a page, or None."""
    import trafilatura
    from trafilatura.meta import reset_caches

    if not content or len(content) > LARGEST_PAGE:
        return None
    if next(_pages_read) % _PAGES_BETWEEN == 0:
        reset_caches()
    try:
        page: Any = trafilatura.bare_extraction(
            content,
            url=url or None,
            with_metadata=True,
            include_comments=False,
            date_extraction_params=_STATED_DATE,
        )
    except Exception:  # whatever is wrong with one page of millions, the others can be read
        return None
    return page if page is not None and (page.text or "").strip() else None


_pages_read = itertools.count(1)


def _row(page: Any, url: str, date: str, place: str) -> Row:
    values = {"text": page.text, "url": url, "date": date}
    return Row(values, place, group=_host(url), licence=page.license or "")


def _host(url: str) -> str:
    """Of an address, empty where it has none that can be made out."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # http://[, say
        return ""


def _require_whole(record: Any, place: str) -> None:
    """An archive that was cut off ends inside a record, which warcio takes for the record's end."""
    while record.raw_stream.read(65536):
        pass
    if getattr(record.raw_stream, "limit", 1):  # without a length it has no limit
        raise _broken(place, "it ends inside this record")


def _broken(place: str, what: str) -> GroundupError:
    return GroundupError(place, f"broken web archive ({what})", "download it again")
