"""Comma-, semicolon- or tab-separated files with a header."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import Row, reads_files
from pipeline.sources.opening import decoded_lines

csv.field_size_limit(sys.maxsize)  # long documents in one field are usual here


@reads_files(".csv", ".tsv", compressed=True)
def read_csv(path: Path) -> Iterator[Row]:
    """Rows by the names of the header; the separator is the commonest one of the header.

    Between tabs, a quote that does not enclose a field is plain text, as in the files of GLUE.
    """
    lines = decoded_lines(path)
    header = next(lines, "")
    if not header.strip():
        if any(line.strip() for line in lines):
            raise GroundupError(f"{path} line 1", "there is no header", "begin with the names of the columns")
        return
    separator = max(",;\t", key=header.count)
    if separator == "\t":
        lines = _with_plain_quotes(lines, header.count("\t") + 1)
    reader = csv.reader(itertools.chain([header], lines), delimiter=separator, strict=True)
    try:
        names = next(reader)
        for fields in reader:
            if len(fields) == len(names):
                yield Row(dict(zip(names, fields, strict=True)), f"{path} line {reader.line_num}")
            elif fields:  # an empty line has none
                place = f"{path} line {reader.line_num}"
                what = f"the row has not the {len(names)} fields of the header"
                remedy = "quote fields that hold the separator, or complete the row"
                yield Row({}, place, refusal=GroundupError(place, what, remedy))
    except csv.Error as error:
        raise GroundupError(
            f"{path} line {reader.line_num}", f"invalid CSV ({first_line(error)})", "mend the quotes"
        ) from None


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
