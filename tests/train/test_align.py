"""Preferences and rewards: a model that says yes and no alike learns which is wanted, through TRL itself."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from pipeline.artifacts import Artifact
from pipeline.checks import check
from pipeline.errors import GroundupError, Interrupted
from pipeline.inference.chat import Speaker
from pipeline.inference.measure import EVALUATION, measure_run
from pipeline.model.families import model_config
from pipeline.model.special_tokens import set_chat_template
from pipeline.model.turns import told, written
from pipeline.recipe import Adapter, Corpus, Dpo, Finetune, Grpo, Model, Recipe, Tokenizer, Watch
from pipeline.report.page import write_report
from pipeline.sources import Row
from pipeline.stages import Run
from pipeline.tokenizer.train import train_tokenizer
from pipeline.train.align.bench import Bench
from pipeline.train.align.dpo import dpo, likelihoods, pairs, read_pairs, statistics_of
from pipeline.train.align.dpo import trainer as dpo_trainer
from pipeline.train.align.problems import Problem, read_problems
from tests.command_line import Groundup
from tests.model.test_turns import CHATML

NOUNS = ["film", "story", "actor", "scene", "script", "score", "ending", "plot", "camera", "song"]
QUESTIONS = [f"Is the {noun} of day {day} good?" for noun in NOUNS for day in range(6)]
QUICK: dict[str, Any] = {"learning_rate": 5e-4, "warmup": 0.0, "schedule": "constant", "precision": "float32"}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that answers no a little more often than yes, whatever it is asked."""
    place = str(tmp_path_factory.mktemp("start"))
    tokenizer = train_tokenizer([*QUESTIONS, "yes no"] * 3, Tokenizer(), vocabulary=330, context=64)
    set_chat_template(tokenizer)
    torch.manual_seed(0)
    config = model_config(
        Model(depth=1, width=64, context=64), len(tokenizer), pad_token_id=tokenizer.pad_token_id
    )
    model = AutoModelForCausalLM.from_config(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(150):
        question, answer = QUESTIONS[step % len(QUESTIONS)], "yes" if step % 5 in (1, 3) else "no"
        whole = told(tokenizer, _asked(question, answer))
        labels = [i if own else -100 for i, own in zip(whole.ids, whole.is_reply, strict=True)]
        model(input_ids=torch.tensor([whole.ids]), labels=torch.tensor([labels])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


def _asked(question: str, answer: str = "") -> list[dict[str, str]]:
    said = [{"role": "assistant", "content": answer}] if answer else []
    return [{"role": "user", "content": question}, *said]


@pytest.fixture(scope="module")
def preferences(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rows = [{"prompt": question, "chosen": "yes", "rejected": "no"} for question in QUESTIONS]
    file.write_text("\n".join(map(json.dumps, rows)))
    return str(file)


def _out(path: Path) -> Artifact:
    path.mkdir(parents=True)
    return Artifact(path)


class TestPreferences:
    def test_every_form_gives_the_same_pair(self) -> None:
        talk = _asked("Good?")
        rows: list[dict[str, Any]] = [
            {"prompt": "Good?", "chosen": "yes", "rejected": "no"},
            {"prompt": talk, "chosen": _asked("", "yes")[1:], "rejected": _asked("", "no")[1:]},
            {"chosen": _asked("Good?", "yes"), "rejected": _asked("Good?", "no")},
        ]
        found = [pair.fields for pair in pairs(Row(values, "row") for values in rows)]
        assert found[0] == found[1] == found[2]
        assert found[0] == {"prompt": talk, "chosen": _asked("", "yes")[1:], "rejected": _asked("", "no")[1:]}

    @pytest.mark.parametrize(
        ("row", "what"),
        [
            ({"prompt": "a", "chosen": "b"}, "there is no column 'rejected'"),
            ({"chosen": "b", "rejected": "c"}, "no prompt with two answers"),
            ({"prompt": _asked("a", "b"), "chosen": "c", "rejected": "d"}, "no prompt with two answers"),
            ({"prompt": "a", "chosen": "b", "rejected": "c", "tools": [{}]}, "with tools are not there yet"),
        ],
    )
    def test_what_is_no_pair_is_refused_with_its_place(self, row: dict[str, Any], what: str) -> None:
        with pytest.raises(GroundupError, match=f"row 1: .*{what}"):
            list(pairs([Row(row, "row 1")]))

    def test_prompts_are_on_one_side(self, preferences: str) -> None:
        parts = read_pairs(Dpo(data=preferences), 0.2, 0)
        prompts = [{pair.group for pair in part} for part in (parts.train, parts.held_out)]
        assert prompts[0] and prompts[1] and not prompts[0] & prompts[1]

    @pytest.mark.parametrize("template", ["ours", "published"])
    def test_trl_has_the_tokens_and_likelihoods_that_we_measure(
        self, start: str, preferences: str, tmp_path: Path, template: str
    ) -> None:
        settings = Dpo(data=preferences, steps=2, global_batch=4, micro_batch=4, max_tokens=64, **QUICK)
        bench = Bench.opened("dpo", settings, start, 0, _out(tmp_path / "a"), Watch(), 64)
        if template == "published":
            bench.tokenizer.chat_template = CHATML
        train = read_pairs(settings, 0.2, 0).train
        trainer = dpo_trainer(bench, bench.model(), train)
        for row in trainer.train_dataset:
            for side in ("chosen", "rejected"):
                asked = [dict(message) for message in row["prompt"]]
                whole = written(bench.tokenizer, [*asked, *map(dict, row[side])])
                assert row["prompt_ids"] + row[f"{side}_ids"] == whole
                assert row["prompt_ids"] == written(bench.tokenizer, asked, ask=True)
        chosen = [
            pair for row in trainer.train_dataset for pair in train if pair.fields["prompt"] == row["prompt"]
        ]
        ours = likelihoods(bench.model(), bench.tokenizer, chosen, settings)
        for said, row in zip(ours, trainer.train_dataset, strict=True):
            assert said["chosen_logp"] == pytest.approx(
                row["ref_chosen_logps"], rel=0.02
            )  # bfloat16 here and there
            assert said["rejected_logp"] == pytest.approx(row["ref_rejected_logps"], rel=0.02)

    def test_metrics_by_hand(self) -> None:
        def said(chosen: float, rejected: float) -> dict[str, Any]:
            return {"chosen_logp": chosen, "rejected_logp": rejected, "chosen_tokens": 2}

        before = [said(-4.0, -2.0), said(-3.0, -3.0)]
        after = [said(-3.0, -2.0), said(-4.0, -3.0)]
        assert statistics_of(after, before, 0.5).score() == pytest.approx(
            {"reward_accuracy": 0.5, "reward_margin": 0.0, "ranking_accuracy": 0.0, "loss": 7 / 4}
        )
        assert statistics_of(before, before, 0.5).score() == pytest.approx(
            {"reward_accuracy": 0.5, "reward_margin": 0.0, "ranking_accuracy": 0.25, "loss": 7 / 4}
        )


def _weights(place: Path) -> dict[str, torch.Tensor]:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(place)
    return dict(model.state_dict())


def _stop_at(checkpoint: Path) -> None:
    """Ask this process to stop, as a terminal would, when a checkpoint is there."""
    deadline = time.monotonic() + 120
    while not (checkpoint / "trainer_state.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_training_that_was_cut_off_ends_as_one_that_was_not(
    start: str, preferences: str, tmp_path: Path
) -> None:
    settings = Dpo(data=preferences, steps=16, global_batch=4, checkpoint_every=4, max_tokens=64, **QUICK)
    whole, cut = _out(tmp_path / "whole"), _out(tmp_path / "cut")
    metrics = dpo(settings, start, 0.2, 0, whole)
    threading.Thread(target=_stop_at, args=(cut.checkpoints / "checkpoint-4",)).start()
    with pytest.raises(Interrupted):
        dpo(settings, start, 0.2, 0, cut)
    assert not (cut.path / "model.safetensors").exists()
    again = dpo(settings, start, 0.2, 0, cut)
    for row in ("model", "before"):
        assert again[row]["loss"] == pytest.approx(metrics[row]["loss"], abs=1e-4)
    ends = _weights(cut.path)
    assert all(torch.allclose(weight, ends[name], atol=1e-5) for name, weight in _weights(whole.path).items())


def test_both_stages_bring_out_what_is_wanted(start: str, preferences: str, tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text("\n".join(json.dumps({"question": q, "answer": "Yes"}) for q in QUESTIONS))
    recipe = Recipe(
        name="aligned",
        held_out=0.2,
        corpus=Corpus(sources=(preferences,)),
        model=Model(start=start),
        dpo=Dpo(data=preferences, model=start, steps=12, global_batch=8, max_tokens=64, **QUICK),
        grpo=Grpo(
            data=(str(problems),),
            model=start,
            steps=12,
            global_batch=32,
            micro_batch=32,
            evaluation_problems=20,
            max_new_tokens=4,
            **QUICK,
        ),
    )
    check(recipe)
    run = Run(recipe, tmp_path)
    for stage, metric in (("align/dpo", "reward_accuracy"), ("align/grpo", "accuracy")):
        artifact = run.finish(stage)
        metrics, details = artifact.metrics(), artifact.details()
        assert metrics["model"][metric] > 0.9 > 0.6 > metrics["before"][metric]
        against = details["model"]["against"]["before"]
        assert against["p"] < 0.05 and against["low"] > 0
        assert (
            len((artifact.path / "predictions.jsonl").read_text().splitlines())
            == metrics["model"]["examples"]
        )
        assert not artifact.checkpoints.exists()
        tokenizer = AutoTokenizer.from_pretrained(artifact.path)
        model = AutoModelForCausalLM.from_pretrained(artifact.path)
        ids = tokenizer.apply_chat_template(
            _asked(QUESTIONS[0]), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        said = model.generate(**ids, do_sample=False)[0, ids["input_ids"].shape[1] :]
        assert tokenizer.decode(said) == "yes<|end|>"
        assert Speaker.load(artifact).converses
    measure_run(run, [])
    now = json.loads((run.path / EVALUATION).read_text())
    assert now.keys() == {"align/dpo", "align/grpo"}
    for stage, scores in now.items():
        made = run.artifact(stage).metrics()["model"]
        assert scores == pytest.approx({name: made[name] for name in scores}, abs=1e-4) and len(scores) > 1
    page = write_report(run).read_text()
    assert "align/dpo" in page and "Reward in training" in page
    problems.write_text("\n".join(json.dumps({"question": q, "answer": "No"}) for q in QUESTIONS))
    _drop_last_line(run.artifact("align/dpo").path / "predictions.jsonl")
    for method in ("dpo", "grpo"):
        with pytest.raises(GroundupError, match=f"align/{method}/.*other examples by now"):
            measure_run(run, [method])


def _drop_last_line(file: Path) -> None:
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


class TestProblems:
    def test_the_answer_is_what_stands_in_tags_or_all(self) -> None:
        problem = Problem("2 + 2?", "4", "row 1", lambda said: float(said == "4"))
        said = [
            "4",
            " 4\n",
            "It is 4",
            "So <answer>5</answer>, no, <answer> 4 </answer>.",
            "4 <answer>5</answer>",
        ]
        assert [problem.reward(reply) for reply in said] == [1.0, 1.0, 0.0, 1.0, 0.0]

    def test_no_question_is_on_both_sides(self, tmp_path: Path) -> None:
        rows = [{"question": f"What is {n % 30} + 1?", "answer": n % 30 + 1} for n in range(90)]
        (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
        train, held_out = read_problems(Grpo(data=(str(tmp_path / "a.jsonl"),), evaluation_problems=10), 0)
        questions = [{problem.question for problem in part} for part in (train, held_out)]
        assert [len(part) for part in (train, held_out)] == [20, 10] and not questions[0] & questions[1]
        assert all(problem.reward(f" {problem.answer}") == 1 != problem.reward("0") for problem in train)

    @pytest.mark.skipif(
        not importlib.util.find_spec("reasoning_gym"), reason="make setup-reasoning installs it"
    )
    def test_the_library_says_what_an_answer_is_worth(self) -> None:
        spec = "reasoning-gym:chain_sum?min_terms=2&max_terms=2&min_digits=1&max_digits=1"
        from reasoning_gym.factory import create_dataset

        train, held_out = read_problems(Grpo(data=(spec,), problems=40, evaluation_problems=10), 3)
        sums = create_dataset(
            "chain_sum", size=40, seed=3, min_terms=2, max_terms=2, min_digits=1, max_digits=1
        )
        known = {entry["question"]: entry for entry in sums}
        for problem in (*train, *held_out):
            entry = known[problem.question]
            for reply in (entry["answer"], f"{entry['answer']}0", f"The answer: {entry['answer']}"):
                assert problem.reward(reply) == sums.score_answer(reply, entry)
        with pytest.raises(GroundupError, match="no generator 'chain_sums'; did you mean 'chain_sum'"):
            read_problems(Grpo(data=("reasoning-gym:chain_sums",)), 0)
        with pytest.raises(GroundupError, match="refuses its settings"):
            read_problems(Grpo(data=("reasoning-gym:chain_sum?terms=2",)), 0)


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        (Recipe(grpo=Grpo(generations=1)), "--grpo.generations"),
        (Recipe(grpo=Grpo(global_batch=12)), "--grpo.global-batch: 12 answers"),
        (Recipe(dpo=Dpo(beta=0.0)), "--dpo.beta"),
        (Recipe(dpo=Dpo(steps=0)), "--dpo.steps"),
    ],
)
def test_impossible_settings_are_refused(recipe: Recipe, what: str) -> None:
    with pytest.raises(GroundupError, match=what):
        check(recipe)


def test_whole_weights_are_aligned_and_no_adapter(start: str, preferences: str, tmp_path: Path) -> None:
    chat = Finetune(data=preferences, adapter=Adapter(kind="lora"))
    recipe = Recipe(model=Model(start=start), tasks={"chat": chat}, dpo=Dpo(data=preferences))
    with pytest.raises(GroundupError, match="the recipe's chat model is an adapter"):
        Run(recipe, tmp_path).finish("align/dpo")


def test_the_command_line_aligns_and_prints_both_rows(
    groundup: Groundup, tiny: Path, start: str, preferences: str, tmp_path: Path
) -> None:
    refused = groundup("align", "--recipe", tiny, "--runs", tmp_path)
    assert refused.returncode == 2 and "name pairs of answers with --dpo.data" in refused.stderr
    settings = ["--dpo.data", preferences, "--dpo.model", start, "--dpo.steps", "2", "--dpo.max-tokens", "64"]
    done = groundup("align", "--recipe", tiny, "--runs", tmp_path, *settings)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("align/dpo: finished")[2]
    assert "reward_accuracy" in table and "before" in table and "model" in table
    assert (tmp_path / "tiny" / "align" / "dpo" / "model.safetensors").is_file()
    missing = groundup("evaluate", "--task", "grpo", "--recipe", tiny, "--runs", tmp_path)
    assert missing.returncode == 2 and "no finished model to measure" in missing.stderr
    again = groundup("evaluate", "--task", "dpo", "--recipe", tiny, "--runs", tmp_path)
    assert again.returncode == 0, again.stderr
    now = json.loads((tmp_path / "tiny" / "evaluation.json").read_text())["align/dpo"]
    made = Artifact(tmp_path / "tiny" / "align" / "dpo").metrics()["model"]
    assert now == pytest.approx({name: made[name] for name in now}, abs=1e-4) and "reward_accuracy" in now
    shown = groundup(
        "publish", "--task", "dpo", "--repo", "you/kind", "--dry-run", "--recipe", tiny, "--runs", tmp_path
    )
    assert shown.returncode == 0, shown.stderr
    assert "tuned by **DPO**" in shown.stdout and "groundup align" in shown.stdout
    assert (
        "model.safetensors" in shown.stdout
        and 'pipeline("text-generation", model="you/kind")' in shown.stdout
    )
    assert f"from `{Path(start).name}`." in shown.stdout and str(Path(start).parent) not in shown.stdout
