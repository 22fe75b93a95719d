"""Parquet files, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import Row, reads_files

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
        with pyarrow.parquet.ParquetFile(path, buffer_size=_PIECE, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_rows_at_a_time(file.metadata)):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(values, f"{path} row {number}")
    except (pyarrow.ArrowException, OSError) as error:
        raise GroundupError(
            str(path), f"invalid Parquet ({first_line(error)})", "write the file again"
        ) from None


def _rows_at_a_time(metadata: Any) -> int:
    """As many rows as fit a few megabytes, by the row group with the longest ones."""
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
    return max(1, min(_MOST_ROWS, int(_BATCH_BYTES / max(longest, 1))))
