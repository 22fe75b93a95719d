"""Opening files: bytes and lines as streams, decompressed where the name ends in .gz or .zst."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from pipeline.errors import GroundupError, first_line

if TYPE_CHECKING:
    from typing_extensions import Buffer

COMPRESSED = (".gz", ".zst")
"""Suffixes after which a file is decompressed while it is read."""

_BUFFER = 256 * 1024
_COMPRESSED_PIECE = 16 * 1024
"""Decompressed at a time: a piece that unpacks to very much is still small."""
_UNSUSPICIOUS, _MOST_TIMES = 2**28, 200
"""Bytes that any compressed file may unpack to, and by how much a larger one may grow."""
_MARKS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""Byte order marks of what is not UTF-8, the longer ones first."""


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """The bytes of a file, decompressed, never more than a few pieces of them in memory.

    Reading raises a GroundupError when compressed bytes end too early or are damaged, wherever that is.
    """
    suffix = path.suffix.lower()
    with path.open("rb", buffering=0) as file:
        raw: io.RawIOBase = file
        if suffix in COMPRESSED:
            content = gzip.GzipFile(fileobj=file) if suffix == ".gz" else _ZstdFile(file)
            raw = _Decompressed(content, file, path)
        yield io.BufferedReader(raw, _BUFFER)


def decoded_lines(path: Path, longest: int = -1) -> Iterator[str]:
    """Lines of a UTF-8 file (a byte order mark is passed over), a few bytes more than ``longest`` at most.

    Raises:
        GroundupError: naming the line that is not UTF-8 text.
    """
    number, encoding = 1, "utf-8-sig"
    with opened(path) as file:
        while line := file.readline(longest):
            if len(line) == longest:
                line += _rest_of_character(file)
            if b"\0" in line:
                raise _no_text(path, number, line, line.index(b"\0"))
            try:
                yield line.decode(encoding)
            except UnicodeDecodeError as error:
                raise _no_text(path, number, line, error.start) from None
            number, encoding = number + line.endswith(b"\n"), "utf-8"


class _Decompressed(io.RawIOBase):
    """The content of a compressed file, with what is wrong with it in our words."""

    def __init__(self, content: gzip.GzipFile | _ZstdFile, packed: io.RawIOBase, path: Path) -> None:
        self._content, self._packed, self._path = content, packed, path
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill some of a buffer; nothing of it at the end of the file."""
        try:
            size = self._content.readinto(buffer)
            self._unpacked += size
            self._refuse_bomb()
            return size
        except EOFError:
            what = "the compressed file ends too early"
        except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
            what = f"damaged compression ({first_line(error)})"
        raise GroundupError(str(self._path), what, "download or compress it again") from None

    def _refuse_bomb(self) -> None:
        """Nothing that people wrote unpacks to so much: it would fill memory or the disk."""
        if self._unpacked > max(_UNSUSPICIOUS, _MOST_TIMES * self._packed.tell()):
            raise GroundupError(
                str(self._path),
                f"it unpacks to more than {_MOST_TIMES} times its size, as no text does",
                "take it away, or unpack it first",
            )


class _ZstdFile(io.RawIOBase):
    """The content of all Zstandard frames of a file, one after the other.

    The stream reader of zstandard takes a frame that is cut off for one that ends.
    """

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed = b""
        self._content = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill some of a buffer; nothing of it at the end of the file."""
        while not self._content:
            self._packed = self._packed or self._file.read(_COMPRESSED_PIECE) or b""
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("inside a frame")
                return 0
            self._unpack()
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._content))
        target[:size], self._content = self._content[:size], self._content[size:]
        return size

    def _unpack(self) -> None:
        if self._frame is None:  # windows of any size: zstd --long is usual for corpora
            self._frame = zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj()
        self._content = memoryview(self._frame.decompress(self._packed))
        self._packed = b""
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None


def _rest_of_character(file: io.BufferedReader) -> bytes:
    """What follows of a character that the end of a piece cuts, which is three bytes at most."""
    rest = b""
    while len(rest) < 3 and (following := file.peek(1)[:1]) and following[0] & 0xC0 == 0x80:
        rest += file.read(1)
    return rest


def _no_text(path: Path, number: int, line: bytes, byte: int) -> GroundupError:
    marked = [name for mark, name in _MARKS.items() if number == 1 and line.startswith(mark)]
    if marked:
        what, remedy = (
            f"it is {marked[0]} and not UTF-8",
            f"save it as UTF-8, for example with iconv -f {marked[0]} -t UTF-8",
        )
    elif line[byte] == 0:
        what, remedy = (
            f"byte {byte + 1} is zero: it is binary or UTF-16",
            "give text in UTF-8, or take it away",
        )
    else:
        what, remedy = (
            f"byte {byte + 1} is not UTF-8",
            "save the file as UTF-8, for example with iconv -t UTF-8",
        )
    return GroundupError(f"{path} line {number}", what, remedy)
