"""Write what a lineage came to into docs/lineage.md, and its picture beside, from the finished run.

groundup lineage && python -m benchmarks.lineage
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from benchmarks.pages import LINEAGE, ROOT, write_between
from pipeline.artifacts import write_text
from pipeline.lineage.picture import picture
from pipeline.lineage.results import PRETRAIN, Lineage, results
from pipeline.lineage.steps import steps
from pipeline.lineage.tables import absent, bought, table
from pipeline.provenance import describe_hardware
from pipeline.recipe_files import load_recipe
from pipeline.report.render import standalone
from pipeline.stages import Run

PICTURE = ROOT / "docs" / "lineage.svg"


def told(lineage: Lineage, rungs: Collection[str]) -> Iterator[str]:
    """Markdown: where it ran, the picture, the table, and what each step bought.

    Args:
        lineage: the finished rungs.
        rungs: names of all that there are.
    """
    manifests = [rung.run.artifact(PRETRAIN).manifest() for rung in lineage.rungs]
    machines = " and ".join(sorted({describe_hardware(made["hardware"]) for made in manifests}))
    minutes = sum(rung.pretraining.seconds + rung.finetuning.seconds for rung in lineage.rungs) / 60
    versions = manifests[0]["versions"]
    yield (
        f"On {machines} (torch {versions['torch']}, transformers {versions['transformers']}; seed "
        f"{manifests[0]['seed']}); all trainings and their predictions took {minutes:.0f} minutes."
    )
    if missing := [name for name in rungs if name not in {rung.name for rung in lineage.rungs}]:
        yield f"Not yet trained there, and so not in the table: {', '.join(missing)}."
    yield "\n![Scores of the rungs](lineage.svg)\n"
    yield from _markdown(*table(lineage), words=1)
    yield ""
    yield from absent(lineage)
    yield "\nWhat each step bought, since the last rung before it with the same score:\n"
    yield from _markdown(*bought(lineage, steps(lineage)), words=2)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * words}{'---:|' * (len(head) - words)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace(chr(10), '<br>') for cell in row)} |"


def main(runs: Path) -> None:
    """Write the table and the picture of ``runs/lineage``."""
    run = Run(load_recipe("lineage"), runs)
    lineage = results(run, list(run.recipe.tasks))
    if not lineage.rungs:
        sys.exit(f"no rung is finished in {run.path}")
    write_text(PICTURE, standalone(picture(lineage)))
    write_between(LINEAGE, "lineage", "\n".join(told(lineage, run.recipe.lineage)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs"))
