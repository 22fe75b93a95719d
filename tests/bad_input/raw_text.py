"""Raw text that nothing can be pre-trained on, and what is said of it."""

from __future__ import annotations

import pyarrow
import zstandard

from tests.bad_input.case import DEEP, HALF, PROSE, Case, lines, not_utf8, packed, parquet

_GZ, _ZST = packed(PROSE), zstandard.compress(PROSE.encode())
_PARQUET = parquet([PROSE.split("\n\n")], ["text"])
_NUMBER = "9" * 5000

CASES = [
    Case("empty", "a.txt", "", "the file is empty"),
    Case("blank", "a.txt", " \n" * 99, "the file has no rows"),
    Case("too short", "a.txt", "x", "too few to hold some out"),
    Case("one word again and again", "a.txt", "word " * 50_000, "too few to hold some out"),
    Case("zero bytes", "a.txt", f"{PROSE}\0", "line 159: byte 96 is zero"),
    Case("UTF-16", "a.txt", PROSE.encode("utf-16"), "line 1: it is UTF-16"),
    Case("UTF-16 without mark", "a.txt", PROSE.encode("utf-16-be"), "line 1: byte 1 is zero"),
    Case("UTF-32", "a.txt", PROSE.encode("utf-32"), "line 1: it is UTF-32"),
    Case("Latin-1", "a.txt", f"{PROSE}\n\xf6".encode("latin-1"), "line 160: byte 1 is not UTF-8"),
    *(
        Case(f"gzip to byte {n}", "a.txt.gz", _GZ[:n], "compress it again")
        for n in (1, 2, 9, 10, len(_GZ) // 2, len(_GZ) - 8, len(_GZ) - 1)
    ),
    *(
        Case(f"zstd to byte {n}", "a.txt.zst", _ZST[:n], "the compressed file ends too early")
        for n in (1, 5, len(_ZST) // 2, len(_ZST) - 1)
    ),
    Case("no gzip", "a.txt.gz", PROSE, "damaged compression"),
    Case("no zstd", "a.txt.zst", PROSE, "damaged compression"),
    Case("no format", "a.xlsx", "PK\3\4", "'.xlsx' is no format that can be read"),
    Case("no suffix", "a", PROSE, "'' is no format that can be read"),
    Case("no column", "a.jsonl", lines({"body": "x"}), "line 1: there is no column 'text'"),
    Case("a list", "a.jsonl", lines({"text": ["x"]}), "line 1: the column 'text' holds a list"),
    Case("true", "a.jsonl", lines({"text": True}), "line 1: the column 'text' holds a bool"),
    Case("broken JSON", "a.jsonl", lines({"text": "x"}, "{"), "line 2: invalid JSON"),
    Case("deep JSON", "a.jsonl", lines({"text": "x"}, DEEP), "line 2: the JSON is nested too deeply"),
    Case("deep document", "a.json", DEEP, "the JSON is nested too deeply"),
    Case("huge number", "a.jsonl", f'{{"text": {_NUMBER}}}', "line 1: invalid JSON (Exceeds the limit"),
    Case("doubled key", "a.jsonl", '{"text": "x", "text": "y"}', "the key 'text' is there twice"),
    Case("half a pair", "a.jsonl", f'{{"text": {HALF}}}', "U+D800, half a surrogate pair"),
    Case("half a pair beside", "a.jsonl", f'{{"text": "x", "license": {HALF}}}', "half a surrogate pair"),
    Case("a number", "a.json", "3", "it is no list of rows"),
    Case("an object", "a.json", "{}", "it is one object and no list of rows"),
    Case("list of lists", "a.json", "[[1]]", "item 1: it is a list and no object"),
    Case("no header", "a.csv", ",\nx,y\n", "line 1: there is no header"),
    Case("doubled column", "a.csv", "text,text\nx,y\n", "the header names the column 'text' twice"),
    Case("open quote", "a.csv", 'text,n\nx,1\n"y,2\nz,3\n', "not closed in the row that begins with line 3"),
    Case("Parquet cut", "a.parquet", _PARQUET[:-9], "invalid Parquet"),
    Case("no Parquet", "a.parquet", "PAR1", "invalid Parquet"),
    Case("bytes", "a.parquet", parquet([[b"x"]], ["text"]), "row 1: the column 'text' holds a bytes"),
    Case("objects", "a.parquet", parquet([[{"a": 1}]], ["text"]), "row 1: the column 'text' holds a dict"),
    Case("doubled in Parquet", "a.parquet", parquet([["x"], ["y"]], ["text", "text"]), "names the column"),
    Case("no text in Parquet", "a.parquet", parquet([not_utf8(b"\xff")], ["text"]), "row 1: a value cannot"),
    Case(
        "no date in Parquet",
        "a.parquet",
        parquet([["x"], pyarrow.array([2**62], pyarrow.timestamp("us"))], ["text", "when"]),
        "row 1: a value cannot be read (date value out of range)",
    ),
    Case("no name in Parquet", "a.parquet", _PARQUET.replace(b"text", b"\xecext"), "invalid Parquet"),
    Case("no page", "a.html", b"\0" * 99, "the file has no rows"),
    Case("archive cut", "a.warc", "WARC/1.0\r\nContent-Length: 99\r\n\r\nabc", "it ends inside this record"),
    Case("archive with a wrong length", "a.warc", "WARC/1.0\r\nContent-Length: x\r\n\r\nabc", "no rows"),
    Case("catalogue cut", "a.po", 'msgid "a"\nmsgstr', "invalid catalogue"),
    Case("compiled catalogue cut", "a.mo", b"\xde\x12\x04\x95", "invalid catalogue"),
    Case("memory cut", "a.tmx", "<tmx><body>", "line 1: invalid XML"),
    Case(
        "memory in Shift JIS",
        "a.tmx",
        '<?xml version="1.0" encoding="shift_jis"?><tmx/>',
        "its encoding cannot",
    ),
    Case("memory in no encoding", "a.tmx", f'<?xml version="1.0" encoding="U{_NUMBER}"?><tmx/>', "U9999"),
    Case("memory with entities", "a.tmx", '<!DOCTYPE t [<!ENTITY a "b">]><tmx/>', "it declares entities"),
]

SPECS = {
    "": "a source is empty",
    "none.txt": "there is no such file",
    "a/none": "the Hub is switched off, and it is neither here nor in the cache",
    "hub:a/b#9/3": "it is no name of a Hub data set",
    "package:../x": "is not installed",
    "package:no.such.one/*": "is not installed",
    "package:json//etc/*": "its pattern is none",
    "package:json/**x": "its pattern is none",
    "installed:nope": "no such installed collection",
    "/dev/zero": "no readable file there",
    "x" * 300 + ".txt": "File name too long",
    "a\0b.txt": "it has a character that is zero",
    "a\udcff.txt": "half a surrogate pair",
}
"""What no source is, and what is said of it."""
