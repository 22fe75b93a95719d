"""The page of a run, served by the command line in a process of its own."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.forked import forked

EVIL = "<script>window.hit=1</script><img src=x onerror=window.hit=1><b>bold</b>"
"""What must stay text; ``window.hit`` tells that it did not."""


@contextmanager
def served(runs: Path, recipe: Path, *arguments: str) -> Iterator[str]:
    """The address of the page, while it is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where: list[str | Path] = ["--recipe", recipe, "--runs", runs, "--port", port]
    page = forked(runs / "said", "pipeline", "demo", *where, *arguments)
    try:
        until = time.monotonic() + 120
        while not (runs / "said" / "err.txt").exists() or "shows the models" not in page.text():
            assert page.runs() and time.monotonic() < until, page.text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        page.kill()


def evil_run(whole_run: Path, place: Path) -> Path:
    """A run whose models and data say what must stay text, and in which summarization is not finished."""
    shutil.copytree(whole_run, place)
    stages = place / "tiny" / "finetune"
    config = stages / "sentiment" / "config.json"
    named = json.loads(config.read_text())
    named["id2label"] = {"0": EVIL, "1": "positive"}
    named["label2id"] = {EVIL: 0, "positive": 1}
    config.write_text(json.dumps(named))
    for task, names in {"sentiment": ["text"], "qa": ["question", "context"]}.items():
        predictions = stages / task / "predictions.jsonl"
        rows = [json.loads(line) for line in predictions.read_text().splitlines()]
        for row in rows:
            row.update({name: f"{row[name]} {EVIL}" for name in names})
        predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = stages / "chat" / "tokenizer.json"
    written = json.loads(tokenizer.read_text())
    says = {"type": "Replace", "pattern": {"Regex": "[A-Za-z]+"}, "content": EVIL}
    written["decoder"] = {"type": "Sequence", "decoders": [written["decoder"], says]}
    tokenizer.write_text(json.dumps(written))
    shutil.rmtree(stages / "summarization")
    return place
