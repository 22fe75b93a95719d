"""The page about a run: every finished stage on it, honest words, safe text, nothing loaded from outside."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Artifact, read_json, write_json, write_text
from pipeline.errors import GroundupError
from pipeline.recipe_files import load_recipe
from pipeline.report.page import write_report
from pipeline.report.sections import TaskSection
from pipeline.stages import Run, _finish
from tests.command_line import ROOT
from tests.report.own_script import without_script

EVIL = "<script>alert('one')</script> & <b>bold</b>"
CORPUS: dict[str, dict[str, Any]] = {
    "documents": {
        "read": 1200, "kept": 1000, "too_short": 50, "exact_duplicates": 100, "near_duplicates": 50,
        "train": 950, "validation": 50, "seconds": 3.25,
    },
    "characters": {"train": 1_234_567, "validation": 65_432},
    "masked": {"email": 17},
    "sources": {"package:some_reviews": 1000},
    "languages": {"en": 980, "fr": 20},
    "lengths": {"512": 400, "1024": 600},
}  # fmt: skip
DROPPED = {"too_short": [{"text": f"{EVIL} too short", "source": "a.csv", "place": "a.csv line 7"}]}
TOKENIZER = {"model": {"vocabulary": 8192, "bytes_per_token": 3.875, "train_tokens": 300_000}}
PRETRAIN = {
    "model": {
        "bits_per_byte": 1.75, "loss": 3.5, "parameters": 7_654_321, "tokens": 98_304, "steps": 60,
        "watt_hours": 1.25, "co2_grams": 0.5,
    },
    "unigram": {"bits_per_byte": 4.5},
    "xz": {"bits_per_byte": 1.5},
}  # fmt: skip
TASKS: dict[str, dict[str, dict[str, float]]] = {
    "sentiment": {
        "model": {"accuracy": 0.8125, "macro_f1": 0.75, "examples": 16, "watt_hours": 0.25, "co2_grams": 0.1},
        "from_scratch": {"accuracy": 0.75, "macro_f1": 0.7, "examples": 16},
        "majority": {"accuracy": 0.5, "examples": 16},
        "tfidf_logistic_regression": {"accuracy": 0.875, "macro_f1": 0.87, "examples": 16},
    },
    "translation": {"model": {"bleu": 21.5, "chrf": 40.25}, "source_copied": {"bleu": 2.5, "chrf": 11.0}},
    "qa": {"model": {"exact_match": 0.5, "f1": 0.625}, "first_words": {"exact_match": 0.0, "f1": 0.125}},
    "summarization": {"model": {"rouge1": 0.3, "rouge2": 0.1, "rougeL": 0.25}, "lead": {"rougeL": 0.125}},
    "chat": {"model": {"loss": 3.0, "perplexity": 20.1}, "from_scratch": {"loss": 4.0, "perplexity": 54.6}},
}
DETAILS = {
    "sentiment": {
        "note": "first line\n    second line",
        "per_class": {"negative": {"precision": 0.8125, "support": 8.0}, "positive": {"precision": 0.75}},
        "confusion": [[7, 1], [2, 6]],
    },
    "translation": {"signatures": {"bleu": "nrefs:1|case:mixed|tok:13a"}, "placeholders_mended": 31},
    "qa": {"with_answer": {"f1": 0.5, "examples": 9}, "without_answer": {"f1": 0.75, "examples": 7}},
    "chat": {"signature": "made|up", "lengths": [3, 4]},
}
PREDICTIONS = [
    {"text": f"{EVIL} {n}", "prediction": "positive", "correct": n != 6, "place": f"reviews.csv:{n}"}
    for n in range(9)
]


def _log(lines: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def _corpus(out: Artifact) -> Mapping[str, Mapping[str, Any]]:
    write_json(out.path / "dropped.json", DROPPED)
    return CORPUS


def _pretrain(out: Artifact) -> Mapping[str, Mapping[str, Any]]:
    pace = [{"tokens_per_second": 5000.0 + s, "mfu": 0.4 + s / 1000, "energy_from": EVIL} for s in range(60)]
    steps = [{"step": s, "loss": 9 / math.sqrt(s), **told} for s, told in enumerate(pace, 1)]
    measured = [{"step": s, "bits_per_byte": 4 - s / 30, "eval_loss": 8 - s / 15} for s in (20, 40, 60)]
    told = [{"step": s, "samples": [{"prompt": "The film", "text": f"{EVIL} {s}"}]} for s in (20, 40, 60)]
    write_text(out.path / "log.jsonl", _log([*steps, *measured, *told]))
    return PRETRAIN


def _finetune(out: Artifact) -> Mapping[str, Mapping[str, Any]]:
    task = out.path.name
    runs = [{"step": s, "loss": 1 / s, "run": run} for run in ("model", "from_scratch") for s in range(1, 9)]
    write_text(out.path / "log.jsonl", _log(runs))
    write_text(out.path / "predictions.jsonl", _log(PREDICTIONS))
    if task in DETAILS:
        write_json(out.path / "details.json", {"model": DETAILS[task], "from_scratch": {"other": "row"}})
    return TASKS[task]


def _write_run(recipe: Path, runs: Path, stages: Iterable[str] = ()) -> Run:
    """Bring stages of the tiny recipe to their end with made-up results: all, or those named."""
    run = Run(load_recipe(str(recipe)), runs)
    made = {"corpus": _corpus, "tokenizer": lambda out: TOKENIZER, "pretrain": _pretrain}
    for name in stages or run.stages():
        _finish(run, dataclasses.replace(run.stages()[name], work=made.get(name, _finetune)))
    return run


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in which every stage is finished."""
    return _write_run(tiny, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    """Its page."""
    file = write_report(run)
    assert file == run.path / "report" / "index.html"
    return file.read_text("utf-8")


def _section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)
    assert found is not None, name
    return found[0]


def test_every_stage_has_its_section_with_a_chart(page: str) -> None:
    for name in ("chain", "pretrain", *TASKS, "corpus"):
        assert "<svg" in _section(page, name), name
    assert _section(page, "pretrain").count("<svg") == 4


def test_numbers_of_the_run_stand_on_it(page: str) -> None:
    assert "<h1>tiny</h1>" in page and "7,654,321" in page and "98,304" in page
    assert "8,192" in _section(page, "tokenizer") and "3.875" in _section(page, "tokenizer")
    corpus = _section(page, "corpus")
    assert all(text in corpus for text in ("1,234,567", "email", "package:some_reviews", "near duplicates"))
    assert all(
        text in corpus for text in ("too short", "Documents by language", "512 to 1,024: 600 documents")
    )
    assert '<td class="number">–</td>' in _section(page, "summarization")


def test_energy_is_the_sum_of_all_trainings_and_says_what_it_is_from(page: str) -> None:
    said = re.search(r"<p>([^<]*) Wh, ([^<]*) g of CO₂, by CodeCarbon: ([^<]*)\.</p>", page)
    assert said is not None and said.groups()[:2] == ("1.500", "0.600") and "alert" in said[3]


def test_the_chain_says_what_each_stage_took_and_is_made_from(page: str, run: Run) -> None:
    def cells(stage: str) -> list[str]:
        (row,) = re.findall(rf'<tr><th scope="row">{stage}</th>(.*?)</tr>', _section(page, "chain"))
        return re.findall(r"<td[^>]*>([^<]*)</td>", row)

    pretrain, qa = (run.artifact(name).manifest() for name in ("pretrain", "finetune/qa"))
    took = [f"{manifest['timings']['seconds']:.1f}" for manifest in (pretrain, qa)]
    begun = pretrain["started"][:16].replace("T", " ")
    assert cells("pretrain") == [begun, "corpus, tokenizer", took[0], "1.250", "0.500"]
    assert cells("finetune/qa")[1:] == ["pretrain", took[1], "–", "–"]
    assert cells("together")[-2:] == ["1.500", "0.600"]


def test_what_beats_the_model_is_said_and_only_that(page: str) -> None:
    assert "loses to xz on bits per byte: 1.750 against 1.500." in _section(page, "pretrain")
    sentiment = _section(page, "sentiment")
    assert "The model loses to tfidf logistic regression on accuracy: 0.812 against 0.875." in sentiment
    assert sentiment.count("loses to") == 1
    for winner in ("translation", "qa", "summarization", "chat"):
        assert "The model" not in _section(page, winner)


def test_details_of_the_metrics_are_shown(page: str) -> None:
    translation, sentiment, chat = (_section(page, name) for name in ("translation", "sentiment", "chat"))
    assert "<code>nrefs:1|case:mixed|tok:13a</code>" in translation and "<code>31</code>" in translation
    assert "<code>made|up</code>" in chat and "<pre>[\n  3,\n  4\n]</pre>" in chat
    assert "<pre>first line\n    second line</pre>" in sentiment
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", sentiment)
    assert cells[cells.index("negative") :][:3] == ["negative", "0.812", "8"]
    assert cells[cells.index("predicted positive") :][:4] == ["predicted positive", "true negative", "7", "1"]
    assert 'aria-label="Confusion, sentiment: of 8 negative 7 right; of 8 positive 6 right"' in sentiment
    assert re.search(r"without answer</th><td[^>]*>0.750</td><td[^>]*>7</td>", _section(page, "qa"))


def test_examples_show_right_and_wrong_ones(page: str) -> None:
    sentiment = _section(page, "sentiment")
    first, _, others = sentiment.partition('<details class="more">')
    assert (first.count("✓ right"), first.count("✗ wrong")) == (4, 1) and "reviews.csv:6" in first
    assert (others.count("✓ right"), others.count("✗ wrong")) == (4, 0) and "4 more" in others
    assert "8 of 8 right ones, 1 of 1 wrong ones" in first


def test_samples_are_shown_at_several_steps(page: str) -> None:
    pretrain = _section(page, "pretrain")
    assert all(f"step {step}" in pretrain for step in (20, 40, 60))
    assert "<b>The film</b>" in pretrain


def test_text_of_data_and_models_is_no_markup(page: str) -> None:
    page = without_script(page)
    assert "<script" not in page and "<b>bold" not in page
    assert "&lt;script&gt;alert(&#39;one&#39;)&lt;/script&gt; &amp; &lt;b&gt;bold" in page


class _Tags(html.parser.HTMLParser):
    """Every attribute that loads something, and whether each element that was opened is closed."""

    _EMPTY = frozenset({"meta", "br", "link", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")
        ]
        self.open += [tag] if tag not in self._EMPTY else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self._EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(page: str) -> None:
    tags = _Tags()
    tags.feed(without_script(page))
    assert not tags.open
    assert tags.loads and all(target.startswith("#") for target in tags.loads)
    assert not re.search(r"https?://|@import|url\(|fetch|XMLHttp|import\(", page)


def test_charts_speak_and_follow_the_page_s_colours(page: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    for chart in charts:
        assert re.match(r'<svg role="img" aria-label="[^"]{10,}" viewBox="[^"]+"><title>[^<]+</title>', chart)
        assert "currentColor" in chart and not re.search(r"#[0-9a-f]{6}\b", chart)
    assert any("var(--series-1)" in chart for chart in charts)
    assert "prefers-color-scheme: dark" in page and "viewport" in page


def test_a_run_with_one_finished_stage_has_a_page(tiny: Path, tmp_path: Path) -> None:
    page = write_report(_write_run(tiny, tmp_path, ["corpus"])).read_text("utf-8")
    assert "<svg" in _section(page, "corpus")
    assert 'id="pretrain"' not in page and 'href="#pretrain"' not in page and "Sentiment" not in page


def test_bare_metrics_and_no_logs_make_a_page_too(tiny: Path, tmp_path: Path) -> None:
    run = _write_run(tiny, tmp_path)
    for stage, metrics in (("corpus", {"documents": {"kept": 3}}), ("pretrain", {"model": {"steps": 0}})):
        write_json(run.artifact(stage).path / "metrics.json", metrics)
    for file in ("pretrain/log.jsonl", "finetune/qa/log.jsonl", "finetune/qa/predictions.jsonl"):
        (run.path / file).unlink()
    page = write_report(run).read_text("utf-8")
    assert "<svg" not in _section(page, "pretrain") and _section(page, "qa").count("<svg") == 1


def test_stages_made_from_something_older_are_named(tiny: Path, tmp_path: Path) -> None:
    run = _write_run(tiny, tmp_path, ["corpus", "tokenizer"])
    assert "earlier corpus" not in write_report(run).read_text("utf-8")
    file = run.artifact("corpus").path / "manifest.json"
    write_json(file, {**read_json(file), "fingerprint": "0" * 16})
    said = "tokenizer was made from an earlier corpus than the one in this run now."
    assert said in write_report(run).read_text("utf-8")


def test_a_page_is_written_without_what_trains_models(tiny: Path, whole_run: Path) -> None:
    code = """
import sys
from pathlib import Path
from pipeline.cli import main
assert main(["report", "--recipe", sys.argv[1], "--runs", sys.argv[2]]) == 0
print([name for name in ("torch", "transformers", "datasets") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tiny, whole_run], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]", "they take many times longer to load than the page to write"


def test_an_empty_run_is_refused(tiny: Path, tmp_path: Path) -> None:
    run = Run(load_recipe(str(tiny)), tmp_path)
    write_json(run.artifact("corpus").path / "manifest.json", {"complete": False})
    with pytest.raises(GroundupError, match=r"no stage is finished.*make pretrain"):
        write_report(run)
    assert not (run.path / "report").exists()


def test_likely_answers_stand_one_a_line(tmp_path: Path) -> None:
    best = [{"text": "Oslo", "start": 3, "end": 7, "probability": 0.9}, {"text": "", "probability": 0.1}]
    write_text(tmp_path / "predictions.jsonl", _log([{"question": "Where?", "n_best": best}]))
    (shown,) = TaskSection("finetune/qa", Artifact(tmp_path)).examples.first
    assert shown.fields["n_best"] == "0.900: Oslo\n0.100: –"
