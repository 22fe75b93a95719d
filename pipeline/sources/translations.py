"""Parallel text: gettext catalogues (.po, .mo) and translation memories (.tmx)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import Row, reads_files
from pipeline.sources.opening import opened

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_BEGINNING = 256
"""Bytes in which a document begins."""
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@reads_files(".po", ".mo")
def read_gettext(path: Path) -> Iterator[Row]:
    """Columns ``source`` and ``target``; fuzzy, obsolete, plural and untranslated messages are left out.

    A catalogue is held in memory whole.
    """
    for number, entry in enumerate(open_catalogue(path), start=1):
        if entry.msgid and entry.msgstr and not entry.obsolete and "fuzzy" not in entry.flags:
            line = getattr(entry, "linenum", None)  # compiled catalogues have none
            values = {"source": entry.msgid, "target": entry.msgstr}
            yield Row(values, f"{path} line {line}" if line else f"{path} message {number}")


def open_catalogue(path: Path) -> Any:
    """A gettext catalogue, compiled or not, as polib has it.

    Raises:
        GroundupError: where it is damaged.
    """
    import polib

    try:
        return polib.mofile(str(path)) if path.suffix == ".mo" else polib.pofile(str(path))
    except UnicodeDecodeError as error:
        raise GroundupError(
            str(path),
            f"byte {error.start + 1} is not {error.encoding}",
            "save the catalogue as UTF-8 and say so in its header",
        ) from None
    except (OSError, ValueError, LookupError, struct.error) as error:
        raise GroundupError(
            str(path), f"invalid catalogue ({first_line(error)})", "check it with msgfmt -c"
        ) from None


@reads_files(".tmx", compressed=True)
def read_tmx(path: Path) -> Iterator[Row]:
    """TMX 1.4: a column for each language of a unit, under its code in lower case, without the region."""
    number, body = 0, None
    with opened(path) as file:
        if b"<" not in file.peek(_BEGINNING)[:_BEGINNING]:  # what is none takes the parser hours to see
            raise GroundupError(str(path), "invalid XML (it begins with no <)", "mend the file")
        try:
            for event, element in iterparse(file, events=("start", "end")):
                if event == "start":
                    body = element if element.tag == "body" else body
                elif element.tag == "tu":
                    number += 1
                    yield Row(_unit(element), f"{path} unit {number}")
                    (element if body is None else body).clear()  # of the units that were read, none is kept
        except ParseError as error:
            raise GroundupError(
                f"{path} line {error.position[0]}", f"invalid XML ({error})", "mend the file"
            ) from None
        except DefusedXmlException:
            raise GroundupError(
                f"{path} after unit {number}",
                "it declares entities, which may grow without end or read other files",
                "write out what they stand for, and take the <!ENTITY …> declarations away",
            ) from None
        except (LookupError, ValueError) as error:
            what = f"its encoding cannot be read ({first_line(error)})"
            raise GroundupError(str(path), what, "save it as UTF-8, and say so in its first line") from None


def _unit(element: Element) -> dict[str, str]:
    values = {}
    for variant in element.iter("tuv"):
        language = variant.get(_LANGUAGE) or variant.get("lang") or ""
        segment = variant.find("seg")
        if segment is not None:
            values[language.split("-")[0].split("_")[0].lower()] = "".join(segment.itertext())
    return values
