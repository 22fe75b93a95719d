"""The corpus' data sheet as a data set's repository: what the text is, counted, and none of the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from pipeline.artifacts import MANIFEST, METRICS
from pipeline.corpus.datasheet import without_samples
from pipeline.errors import GroundupError
from pipeline.publish.data_sources import data_source, hub_identifier, without_directories
from pipeline.publish.hub import CARD, Destination, Uploads, send
from pipeline.publish.markdown import environment
from pipeline.publish.permission import check_name
from pipeline.stages import Run

_FILE = "datasheet.md"
_SIZES = (
    "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "10B<n<100B",
    "100B<n<1T",
)  # fmt: skip


def publish_datasheet(run: Run, repo: str, public: bool, dry_run: bool) -> None:
    """Push the data sheet of the corpus with its counts and its manifest, or show what would be pushed.

    Samples of dropped documents, which the sheet in the run's directory quotes, are left out, and so are directories.

    Args:
        run: whose corpus it is.
        repo: ``user/name`` on the Hub, of a data set.
        public: whether everybody may read it.
        dry_run: print the card and every file with its size; needs neither a token nor a network.

    Raises:
        GroundupError: when the name, the corpus, the token or the Hub stand against it.
    """
    check_name(repo)
    uploads = _uploads(run, repo)
    send(
        uploads, Destination(repo, public, "dataset"), dry_run, f"{run.recipe.name}: data sheet of the corpus"
    )


def _uploads(run: Run, repo: str) -> Uploads:
    artifact = run.artifact("corpus")
    manifest = artifact.manifest()
    if not manifest.get("complete"):
        what = "it has not been finished" if manifest else "there is no corpus yet"
        raise GroundupError(str(artifact.path), what, "run groundup tokenizer, or pretrain, first")
    metrics = artifact.metrics()
    return {
        CARD: _card(run, repo, manifest, metrics).encode(),
        METRICS: _json(_shortened(metrics, manifest["data"])),
        MANIFEST: _json(without_directories(manifest)),
    }


def _card(run: Run, repo: str, manifest: dict[str, Any], metrics: dict[str, Any]) -> str:
    specs = manifest["data"]
    file = run.artifact("corpus").path / _FILE
    if not file.is_file():
        raise GroundupError(str(file), "the file is gone", f"delete {file.parent} and run groundup tokenizer")
    sheet = without_samples(file.read_text("utf-8"))
    for spec in specs:
        sheet = sheet.replace(spec, without_directories(spec))
    metadata = DatasetCardData(
        language=run.recipe.language,
        pretty_name=f"Data sheet of {run.recipe.name}",
        size_categories=_size(metrics["documents"]["kept"]),
        source_datasets=sorted({name for name in map(hub_identifier, specs) if name}) or None,
        task_categories=["text-generation"],
        tags=["groundup", "datasheet"],
    )
    body = (
        environment(Path(__file__).parent)
        .get_template("datasheet.md.j2")
        .render(
            title=repo.rpartition("/")[2],
            recipe=run.recipe.name,
            sources=[data_source(spec) for spec in specs],
        )
    )
    card = DatasetCard(f"---\n{metadata.to_yaml()}\n---\n\n{body}\n{sheet}")
    if card.data.to_dict() != metadata.to_dict():
        raise GroundupError(
            "the card of the corpus", "its metadata reads back changed", "report this as a bug"
        )
    return str(card)


def _size(documents: int) -> str:
    """The Hub's name of a number of rows."""
    return next((name for power, name in enumerate(_SIZES, start=3) if documents < 10**power), "n>1T")


def _shortened(metrics: Any, specs: list[str]) -> Any:
    """Counts by source, under names without directories."""
    short = {spec: without_directories(spec) for spec in specs}
    return {
        group: {short.get(name, name): value for name, value in values.items()}
        for group, values in metrics.items()
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
