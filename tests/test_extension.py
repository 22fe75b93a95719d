"""A task, a source and a recipe from outside the package: one file, and nothing of Groundup changed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command_line import Groundup

RECIPE = '''
from collections.abc import Iterator
from pathlib import Path

from pipeline.recipe import Finetune, Model, Pretrain, Recipe
from pipeline.sources.base import Row, reads_files
from pipeline.tasks import TASKS
from pipeline.tasks.sentiment import Sentiment


@reads_files(".pipes")
def read_pipes(path: Path) -> Iterator[Row]:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text, topic = line.split("|")
        yield Row({"text": text, "topic": topic}, f"{path} line {number}")


class Topic(Sentiment):
    """What a text is about."""

    name = "topic"
    main_metric = "macro_f1"


TASKS["topic"] = Topic
recipe = Recipe(
    name="outside",
    model=Model(start="START"),
    pretrain=Pretrain(steps=0),
    tasks={"topic": Finetune(data="DATA", label_column="topic", max_tokens=32, steps=2, global_batch=4, micro_batch=4)},
)
'''


def test_everything_from_one_file_outside(groundup: Groundup, whole_run: Path, tmp_path: Path) -> None:
    rows = [
        f"{word} number {n}|{topic}"
        for n in range(30)
        for word, topic in (("Oslo", "place"), ("Anna", "name"))
    ]
    (tmp_path / "a.pipes").write_text("\n".join(rows))
    recipe = tmp_path / "outside.py"
    code = RECIPE.replace("START", str(whole_run / "tiny" / "pretrain"))
    recipe.write_text(code.replace("DATA", str(tmp_path / "a.pipes")))
    done = groundup("run", "--recipe", recipe, "--runs", tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "outside" / "finetune" / "topic" / "metrics.json").read_text())
    assert {"model", "from_scratch", "majority_class"} <= set(metrics) and "macro_f1" in metrics["model"]
    assert "topic" in (tmp_path / "outside" / "report" / "index.html").read_text()
    shown = groundup(
        "publish", "--recipe", recipe, "--runs", tmp_path, "--repo", "a/b", "--task", "topic", "--dry-run"
    )
    assert shown.returncode == 0 and "Macro F1" in shown.stdout, shown.stderr
