"""Parquet files, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import GroundupError, first_line, shown
from pipeline.sources.base import Row, doubled, reads_files

_BATCH_BYTES = 4_000_000
_MOST_ROWS = 1024
_PIECE = 256 * 1024
"""Bytes of a column read at a time; read ahead, a whole row group would be in memory."""


@reads_files(".parquet")
def read_parquet(path: Path) -> Iterator[Row]:
    """Rows by the names of the schema."""
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(
            path, buffer_size=_PIECE, pre_buffer=False, page_checksum_verification=True
        ) as file:
            _refuse_doubled(file.schema_arrow.names, path)
            for batch in file.iter_batches(batch_size=_rows_at_a_time(file.metadata)):
                yield from _rows(batch, path, number)
                number += batch.num_rows
    except (pyarrow.ArrowException, OSError, ValueError) as error:  # names of columns may be no UTF-8
        raise GroundupError(
            str(path), f"invalid Parquet ({first_line(error)})", "write the file again"
        ) from None


def _rows(batch: Any, path: Path, before: int) -> Iterator[Row]:
    """Rows of a batch; where a value cannot be held, such as text that is not UTF-8, its row is none."""
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError) as error:
        if batch.num_rows == 1:
            place = f"{path} row {before + 1}"
            what, remedy = f"a value cannot be read ({first_line(error)})", "mend the row, or delete it"
            yield Row({}, place, refusal=GroundupError(place, what, remedy))
            return
        for number in range(batch.num_rows):
            yield from _rows(batch.slice(number, 1), path, before + number)
        return
    for number, values in enumerate(rows, start=before + 1):
        yield Row(values, f"{path} row {number}")


def _refuse_doubled(names: list[str], path: Path) -> None:
    """Of two columns with one name nobody could say which is meant."""
    if name := doubled(names):
        what = f"the schema names the column '{shown(name)}' twice"
        raise GroundupError(str(path), what, "rename one of the two, or take it away")


def _rows_at_a_time(metadata: Any) -> int:
    """As many rows as fit a few megabytes, by the row group with the longest ones."""
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
    return max(1, min(_MOST_ROWS, int(_BATCH_BYTES / max(longest, 1))))
