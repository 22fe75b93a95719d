"""Comma-, semicolon- or tab-separated files with a header."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import GroundupError, first_line, shown
from pipeline.sources.base import Row, doubled, reads_files
from pipeline.sources.opening import decoded_lines

csv.field_size_limit(sys.maxsize)  # long documents in one field are usual here

_SEPARATORS = ",;\t"


@reads_files(".csv", ".tsv", compressed=True)
def read_csv(path: Path) -> Iterator[Row]:
    """Rows by the names of the header; the separator is the commonest one of the header.

    Between tabs, a quote that does not enclose a field is plain text, as in the files of GLUE.
    """
    lines = decoded_lines(path)
    header = next(lines, "")
    if not header.strip(_SEPARATORS + "\r\n "):
        if header.strip() or any(line.strip() for line in lines):
            raise GroundupError(f"{path} line 1", "there is no header", "begin with the names of the columns")
        return
    separator = max(_SEPARATORS, key=header.count)
    if separator == "\t":
        lines = _with_plain_quotes(lines, header.count("\t") + 1)
    reader = csv.reader(itertools.chain([header], lines), delimiter=separator, strict=True)
    begins = 1
    try:
        names = next(reader)
        _refuse_doubled(names, path)
        begins = reader.line_num + 1
        for fields in reader:
            if fields:  # an empty line has none
                yield _row(names, fields, f"{path} line {reader.line_num}")
            begins = reader.line_num + 1
    except csv.Error as error:
        raise _invalid(f"{path} line {reader.line_num}", error, begins) from None


def _row(names: list[str], fields: list[str], place: str) -> Row:
    """A row, or why it is none."""
    if len(fields) != len(names):
        what = f"the row has not the {len(names)} fields of the header"
        remedy = "quote fields that hold the separator, or complete the row"
    elif fields == names and len(names) > 1:
        what, remedy = "the header stands here again", "delete the line"
    else:
        return Row(dict(zip(names, fields, strict=True)), place)
    return Row({}, place, refusal=GroundupError(place, what, remedy))


def _refuse_doubled(names: list[str], path: Path) -> None:
    """Of two columns with one name nobody could say which is meant."""
    if name := doubled(name for name in names if name.strip()):
        what = f"the header names the column '{shown(name)}' twice"
        raise GroundupError(f"{path} line 1", what, "rename one of the two, or take it away")


def _invalid(place: str, error: csv.Error, begins: int) -> GroundupError:
    said = first_line(error)
    if "unexpected end" in said:
        what = f"a quote is not closed in the row that begins with line {begins}"
        return GroundupError(place, f"invalid CSV ({what})", "mend the quotes")
    if "new-line character" in said:
        what, remedy = (
            "a line ends with a carriage return alone",
            "save it with line feeds at the ends of lines",
        )
        return GroundupError(place, f"invalid CSV ({what})", remedy)
    return GroundupError(place, f"invalid CSV ({said})", "mend the quotes")


def _with_plain_quotes(lines: Iterator[str], columns: int) -> Iterator[str]:
    """Tab-separated lines, quoted where their own quotes are plain text: they are a row by their tabs alone."""
    line = next(lines, None)
    while line is not None:
        following = next(lines, None)
        fields = line.rstrip("\r\n").split("\t")
        if '"' in line and len(fields) == columns:
            said = _fields_of(line)
            goes_on = not said and following is not None and not _is_row(following, columns)
            if said != columns and not goes_on:
                line = "\t".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"
        yield line
        line = following


def _is_row(line: str, columns: int) -> bool:
    return line.count("\t") + 1 == columns or _fields_of(line) == columns


def _fields_of(line: str) -> int:
    """How many fields a line has by its quotes: 0 where one is left open, -1 where they are wrong."""
    try:
        return len(next(csv.reader([line], delimiter="\t", strict=True)))
    except csv.Error as error:
        return 0 if "unexpected end" in str(error) else -1
