"""Parquet files, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import GroundupError, first_line
from pipeline.sources.base import Row, reads_files


@reads_files(".parquet")
def read_parquet(path: Path) -> Iterator[Row]:
    """Rows by the names of the schema."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for values in batch.to_pylist():
                number += 1
                yield Row(values, f"{path} row {number}")
    except pyarrow.ArrowException as error:
        raise GroundupError(
            str(path), f"invalid Parquet ({first_line(error)})", "write the file again"
        ) from None
