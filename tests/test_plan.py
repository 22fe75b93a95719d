"""The plan: counted costs, states of stages, and what would fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from pipeline.cli import main
from pipeline.model.cost import cost, cost_or_estimate, measured_flops_per_second
from pipeline.model.families import model_config
from pipeline.model.machine import Choice
from pipeline.recipe import Model
from pipeline.train.memory import PROCESS, Batch, training_memory
from tests.command_line import Groundup
from tests.tasks.bases import publish


@pytest.mark.parametrize("family", ["qwen3", "llama", "gpt2"])
def test_costs_are_those_of_the_model(family: str) -> None:
    config = model_config(Model(family=family, depth=3, width=128, context=64), 512, pad_token_id=0)
    counted = cost(config, 64)
    model = AutoModelForCausalLM.from_config(config)
    assert counted.parameters == model.num_parameters()
    matrices = sum(
        p.numel()
        for name, p in model.named_parameters()
        if p.ndim == 2 and ".wte" not in name and ".wpe" not in name and "embed" not in name
    )
    attention = 12 * 3 * 128 * 64  # 12 · layers · width · length (Chowdhery et al., 2022, appendix B)
    assert counted.flops_per_token == pytest.approx(6 * (matrices + 512 * 128) + attention, rel=0.01)


@pytest.mark.parametrize("family", ["bert", "t5", "bart", "gpt2"])
def test_every_base_of_a_classifier_has_a_cost(family: str, tmp_path: Path) -> None:
    config = AutoConfig.from_pretrained(publish(family, tmp_path))
    found = cost_or_estimate(config, 16, "AutoModelForSequenceClassification")
    assert found.parameters == AutoModelForSequenceClassification.from_config(config).num_parameters()
    assert 0.5 < found.flops_per_token / (6 * found.matrix_parameters) < 2


def test_the_machine_has_a_speed() -> None:
    assert 1e8 < measured_flops_per_second(bfloat16=False, seconds=0.05) < 1e16


def test_a_sound_run_is_said_to_be_sound(groundup: Groundup, tiny: Path, whole_run: Path) -> None:
    done = groundup("plan", "--recipe", tiny, "--runs", whole_run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done") == 8 and "✗" not in done.stdout
    assert "set; 128 would follow" in done.stdout and " follows" in done.stdout  # a width of 64, and one head
    assert all(word in done.stdout for word in ("parameters", "FLOPs", "memory", "disk", "time here"))


def test_everything_that_would_fail_is_said_at_once(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text("review,label\nfine,0\n")
    settings = {
        "--runs": str(tmp_path / "runs"),
        "--corpus.sources": str(tmp_path / "no.txt"),
        "--tasks.sentiment.data": str(tmp_path / "bad.csv"),
        "--tasks.qa.max-tokens": "65",
    }
    arguments = [word for pair in settings.items() for word in pair]
    assert main(["plan", "--recipe", str(tiny), *arguments]) == 2
    said = capsys.readouterr()
    for words in (
        "no.txt: there is no such file",
        "there is no column 'text' (choose one of: label, review)",
        "65 is longer than the model's 64",
    ):
        assert sum(words in line and line.startswith("✗") for line in said.out.splitlines()) == 1
    assert "3 would fail" in said.err and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("head", ["CausalLM", "SequenceClassification"])
def test_memory_is_weights_state_and_what_a_micro_batch_keeps(head: str) -> None:
    config = model_config(Model(depth=1, width=64, context=64), 512)
    head = f"AutoModelFor{head}"
    choice = Choice(bfloat16=False, compiles=True, attention="sdpa")  # without what a heap takes beside

    def taken(rows: int, accumulated: bool = False, state: float = 0.0) -> float:
        return training_memory(config, head, Batch(rows, 64, accumulated), choice, state).total - PROCESS

    weights = 4.0 * cost(config, 64, head).parameters
    one, four = taken(16, state=1e6), taken(64)
    assert one - 1e6 > 2 * weights
    assert four - weights == pytest.approx(4 * (one - 1e6 - weights), rel=0.15)  # activations are by the row
    assert taken(64, accumulated=True) == pytest.approx(four + weights, rel=0.1)  # the gradients of the first
