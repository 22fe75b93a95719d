"""Comma-, semicolon- or tab-separated files with a header."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import Row, decoded_lines, reads_files

csv.field_size_limit(sys.maxsize)  # long documents in one field are usual here


@reads_files(".csv", ".tsv")
def read_csv(path: Path) -> Iterator[Row]:
    """Rows by the names of the header; the separator is the commonest one of the header."""
    lines = decoded_lines(path)
    header = next(lines, "")
    if not header.strip():
        raise GroundupError(str(path), "the file is empty", "give a file with a header line and rows")
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(itertools.chain([header], lines), delimiter=separator, strict=True)
    try:
        for values in reader:
            place = f"{path} line {reader.line_num}"
            if None in values or None in values.values():
                raise GroundupError(
                    place,
                    f"the row has not the {len(reader.fieldnames or ())} fields of the header",
                    "quote fields that hold the separator, or complete the row",
                )
            yield Row(values, place)
    except csv.Error as error:
        raise GroundupError(
            f"{path} line {reader.reader.line_num}", f"invalid CSV ({first_line(error)})", "mend the quotes"
        ) from None
