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
    """Rows by the names of the header; the separator is the commonest one of the header."""
    lines = decoded_lines(path)
    header = next(lines, "")
    if not header.strip():
        if any(line.strip() for line in lines):
            raise GroundupError(f"{path} line 1", "there is no header", "begin with the names of the columns")
        return
    separator = max(",;\t", key=header.count)
    reader = csv.reader(itertools.chain([header], lines), delimiter=separator, strict=True)
    try:
        names = next(reader)
        for fields in reader:
            if len(fields) == len(names):
                yield Row(dict(zip(names, fields, strict=True)), f"{path} line {reader.line_num}")
            elif fields:  # an empty line has none
                raise GroundupError(
                    f"{path} line {reader.line_num}",
                    f"the row has not the {len(names)} fields of the header",
                    "quote fields that hold the separator, or complete the row",
                )
    except csv.Error as error:
        raise GroundupError(
            f"{path} line {reader.line_num}", f"invalid CSV ({first_line(error)})", "mend the quotes"
        ) from None
