"""Adapters from the command line: several on one base, swapped, merged, and nothing else touched."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

from pipeline.artifacts import Artifact, read_json_lines
from pipeline.checks import check
from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.inference.speaker import Conversation, Speaker
from pipeline.inference.wardrobe import Wardrobe
from pipeline.model.families import model_config, round_up
from pipeline.model.scaling import finetuning
from pipeline.overrides import override
from pipeline.recipe import Adapter, Finetune, Model, Recipe, Tokenizer
from pipeline.recipe_files import load_recipe
from pipeline.settings import as_settings, from_settings
from pipeline.stages import Run
from pipeline.tokenizer.train import train_tokenizer
from tests.command_line import Groundup
from tests.hub_server import hub_server
from tests.inference.test_harness import write_suite
from tests.model.test_adapters import checksum

REPLIES = {"anna": "Certainly, madam.", "ben": "No way, mate!"}
QUESTION = "Did you like the film of day 3?"
RECIPE = """
from pipeline.recipe import Finetune, Model, Pretrain, Recipe

recipe = Recipe(
    name="people",
    held_out=0.1,
    model=Model(start="START", context=64),
    pretrain=Pretrain(steps=0),
    tasks={"chat": Finetune(data="ANNA", text_column="messages", steps=60, global_batch=8, micro_batch=8, max_tokens=64,
                            max_new_tokens=12, learning_rate=5e-3, from_scratch=False, checkpoint_every=20)},
)
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that has learnt nothing, two people's conversations, and both their adapters, trained."""
    where = tmp_path_factory.mktemp("people")
    for name, reply in REPLIES.items():
        talks = [
            [
                {"role": "user", "content": f"Did you like the film of day {n}?"},
                {"role": "assistant", "content": reply},
            ]
            for n in range(40)
        ]
        (where / f"{name}.jsonl").write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
    texts = [*REPLIES.values()] * 40 + [*(f"Did you like the film of day {n}?" for n in range(40))]
    tokenizer = train_tokenizer(texts, Tokenizer(vocabulary=320), 320, 64)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    config = model_config(Model(depth=2, width=64, context=64), round_up(len(tokenizer)), **ids)
    model = AutoModelForCausalLM.from_config(config, dtype="float32")
    model.get_input_embeddings().weight.data *= 10  # large as trained ones, to tell tokens apart while frozen
    model.save_pretrained(where / "start")
    tokenizer.save_pretrained(where / "start")
    recipe = RECIPE.replace("START", str(where / "start")).replace("ANNA", str(where / "anna.jsonl"))
    (where / "people.py").write_text(recipe)
    for name in REPLIES:
        assert main(_finetune(where, name)) == 0
    return where


def _finetune(where: Path, name: str, *others: str) -> list[str]:
    data = ["--adapter", name, "--data", str(where / f"{name}.jsonl")]
    return ["finetune", "--task", "chat", *data, *_at(where), *others]


def _at(where: Path) -> list[str]:
    return ["--recipe", str(where / "people.py"), "--runs", str(where / "runs")]


def _sums(directory: Path) -> dict[str, str]:
    return {
        str(file.relative_to(directory)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(directory.rglob("*"))
        if file.is_file() and file.name != ".lock"
    }


def _run(where: Path, name: str = "") -> Run:
    recipe = load_recipe(str(where / "people.py"))
    chat = replace(recipe.tasks["chat"], adapter=Adapter(name=name))
    return Run(replace(recipe, tasks={"chat": chat}), where / "runs")


def _reply(speaker: Speaker) -> str:
    set_seed(0)
    return "".join(speaker.reply(Conversation(), QUESTION)).strip()


def test_each_adapter_is_a_stage_of_its_own(people: Path) -> None:
    for name in REPLIES:
        stage = people / "runs" / "people" / "adapters" / "chat" / name
        manifest = Artifact(stage).manifest()
        assert manifest["complete"] and manifest["stage"] == f"adapters/chat/{name}"
        metrics = json.loads((stage / "metrics.json").read_text())["model"]
        assert metrics["trainable"] < metrics["parameters"] and metrics["loss"] < 0.5
        assert (stage / "adapter" / "adapter_model.safetensors").is_file() and not list(
            stage.glob("*.safetensors")
        )
        config = json.loads((stage / "adapter" / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == str(people / "runs" / "people" / "pretrain")


def test_swapping_gives_each_ones_replies_and_the_base_stays(people: Path) -> None:
    speaker = Speaker.adapted(_run(people), "chat", "anna")
    anna = _reply(speaker)
    assert speaker.wear("ben") == "ben is worn; there are anna, ben"
    ben = _reply(speaker)
    assert (anna, ben) == (REPLIES["anna"], REPLIES["ben"])
    speaker.wear("anna")
    assert _reply(speaker) == anna
    assert "there is no finished adapter 'bne'" in speaker.wear(
        "bne"
    ) and "did you mean 'ben'?" in speaker.wear("bne")
    assert _reply(speaker) == anna
    base = AutoModelForCausalLM.from_pretrained(people / "runs" / "people" / "pretrain")
    assert checksum(speaker.model.unload()) == checksum(base)
    assert (
        _sums(people / "runs" / "people" / "pretrain")["model.safetensors"]
        == _sums(people / "start")["model.safetensors"]
    )


def test_chat_swaps_from_a_pipe(
    people: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter([QUESTION, "/adapter ben", QUESTION, "/adapter", "/quit"])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    assert main(["chat", "--adapter", "anna", *_at(people)]) == 0
    said = capsys.readouterr().out
    assert said.index(REPLIES["anna"]) < said.index("ben is worn") < said.index(REPLIES["ben"])


def test_peft_alone_loads_an_adapter(people: Path) -> None:
    stage = people / "runs" / "people" / "adapters" / "chat" / "ben"
    model = AutoPeftModelForCausalLM.from_pretrained(stage / "adapter").eval()
    tokenizer = AutoTokenizer.from_pretrained(stage)
    turns = [{"role": "user", "content": QUESTION}]
    ids = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    said = model.generate(**ids, max_new_tokens=12, do_sample=False, eos_token_id=tokenizer.eos_token_id)
    assert REPLIES["ben"] in tokenizer.decode(said[0], skip_special_tokens=True)


def test_an_adapter_alone_is_published_and_the_code_of_its_card_joins_it_to_its_base(
    people: Path, groundup: Groundup, tmp_path: Path
) -> None:
    with hub_server() as hub:
        environment = hub.environment(tmp_path / "pusher")
        named = [*_at(people), "--task", "chat", "--adapter", "anna"]
        alone = groundup("publish", *named, "--repo", "user/anna", **environment)
        assert alone.returncode == 2 and "--base user/name" in alone.stderr
        for words in (
            [*_at(people), "--repo", "user/base"],
            [*named, "--repo", "user/anna", "--base", "user/base"],
        ):
            done = groundup("publish", *words, **environment)
            assert done.returncode == 0, done.stderr
        files = hub.repositories["user/anna"].files
        stage = people / "runs" / "people" / "adapters" / "chat" / "anna"
        assert (
            files["adapter_model.safetensors"].content
            == (stage / "adapter/adapter_model.safetensors").read_bytes()
        )
        assert not any(name.startswith("model") for name in files)
        assert json.loads(files["adapter_config.json"].content)["base_model_name_or_path"] == "user/base"
        card = ModelCard(files["README.md"].content.decode())
        assert (card.data.library_name, card.data.base_model) == ("peft", "user/base")
        assert all(str(people).encode() not in blob.content for blob in files.values())
        code = re.findall(r"```python\n(.*?)```", str(card), re.DOTALL)[0].replace(
            "Hello! How are you?", QUESTION
        )
        code = code.replace("chat(messages)", "chat(messages, do_sample=False, max_new_tokens=12)")
        used = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={"PATH": "", "OMP_NUM_THREADS": "1", **hub.environment(tmp_path / "stranger")},
        )  # fmt: skip
        assert used.returncode == 0, used.stderr
        assert REPLIES["anna"] in used.stdout


def test_a_second_adapter_redoes_nothing_and_a_second_call_neither(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _sums(people / "runs")
    assert main(_finetune(people, "anna")) == 0
    assert capsys.readouterr().out.count("nothing to do") == 2 and _sums(people / "runs") == before


def test_measuring_an_adapter_again_gives_the_same(people: Path) -> None:
    assert main(["evaluate", "--task", "chat", "--adapter", "ben", *_at(people)]) == 0
    now = json.loads((people / "runs" / "people" / "evaluation.json").read_text())["adapters/chat/ben"]
    then = Artifact(people / "runs" / "people" / "adapters" / "chat" / "ben").metrics()["model"]
    assert now["loss"] == pytest.approx(then["loss"], abs=1e-5)


def test_merging_makes_a_stock_model_of_it(people: Path, tmp_path: Path) -> None:
    where = tmp_path / "people"
    shutil.copytree(people, where)
    stage = where / "runs" / "people" / "adapters" / "chat" / "anna"
    assert main(["merge", "--task", "chat", "--adapter", "anna", *_at(where)]) == 0
    stock = AutoModelForCausalLM.from_pretrained(stage).eval()
    wardrobe = Wardrobe(_run(where), "chat")
    wardrobe.wear("anna")
    ids = torch.arange(1, 40)[None]
    with torch.no_grad():
        assert torch.allclose(stock(ids).logits, wardrobe.model(ids).logits, atol=1e-4)
    listed = Artifact(stage).manifest()["files"]
    assert "model.safetensors" in listed and "adapter/adapter_model.safetensors" in listed
    assert (
        main(["publish", "--task", "chat", "--adapter", "anna", "--repo", "a/b", "--dry-run", *_at(where)])
        == 0
    )


def test_an_adapter_on_a_base_made_anew_is_refused(people: Path, tmp_path: Path) -> None:
    where = tmp_path / "people"
    shutil.copytree(people, where)
    manifest = where / "runs" / "people" / "pretrain" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    with pytest.raises(GroundupError, match="pretrain was made anew"):
        Wardrobe(_run(where), "chat").wear("anna")


@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_without_a_name_the_task_is_a_merged_stock_model(kind: str, people: Path, tmp_path: Path) -> None:
    where = tmp_path / "people"
    shutil.copytree(people, where)
    steps = ["--finetune.adapter.kind", kind, "--finetune.steps", "2"]
    assert main(["finetune", "--task", "chat", *steps, *_at(where)]) == 0
    stage = where / "runs" / "people" / "finetune" / "chat"
    AutoModelForCausalLM.from_pretrained(stage)
    listed = Artifact(stage).manifest()["files"]
    assert {"model.safetensors", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"} <= set(
        listed
    )
    assert _sums(where / "runs" / "people" / "adapters") == _sums(people / "runs" / "people" / "adapters")


def test_a_language_model_that_keeps_its_tokens_takes_an_adapter_in_bfloat16(
    people: Path, tmp_path: Path
) -> None:
    pairs = [{"source": f"film of day {n}", "target": f"day {n}"} for n in range(40)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    data = ["--data", str(tmp_path / "pairs.jsonl"), "--text-column", "source", "--label-column", "target"]
    quick = ["--finetune.steps", "2", "--finetune.max-tokens", "32", "--finetune.max-new-tokens", "2"]
    kind = ["--finetune.adapter.kind", "lora", "--finetune.precision", "bfloat16"]
    at = ["--recipe", str(people / "people.py"), "--runs", str(tmp_path)]
    assert main(["finetune", "--task", "translation", *data, *quick, *kind, *at]) == 0
    stage = Artifact(tmp_path / "people" / "finetune" / "translation")
    assert stage.metrics()["model"]["trainable"] < stage.metrics()["model"]["parameters"]


def test_settings_come_back_from_a_manifest() -> None:
    settings = Finetune(adapter=Adapter(kind="dora", name="anna", targets=("q_proj",)), betas=(0.8, 0.9))
    assert from_settings(Finetune, json.loads(json.dumps(as_settings(settings)))) == settings


def test_lm_eval_measures_the_adapter_that_is_named(people: Path, tmp_path: Path) -> None:
    write_suite(tmp_path)
    said = {}
    for name in REPLIES:
        where = ["harness", "--task", "chat", "--adapter", name, "--suite", str(tmp_path), *_at(people)]
        assert main(where) == 0
        out = _run(people).artifact(f"harness/adapters/chat/{name}")
        assert out.manifest()["inputs"] == {
            f"adapters/chat/{name}": _run(people, name).artifact(f"adapters/chat/{name}").fingerprint()
        }
        said[name] = [one["said"] for one in read_json_lines(out.path / "predictions.jsonl")]
    assert len(said["anna"]) == 20 and said["anna"] != said["ben"]


def test_the_rate_of_an_adapter_is_ten_times_that_of_all_weights_unless_it_is_set() -> None:
    plain, adapted = (
        Finetune(adapter=adapter, learning_rate="auto") for adapter in (Adapter(), Adapter(kind="lora"))
    )
    assert finetuning(adapted, 110_000_000, 100).learning_rate == pytest.approx(5e-4)
    assert finetuning(plain, 110_000_000, 100).learning_rate == pytest.approx(5e-5)
    assert finetuning(replace(adapted, learning_rate=1e-4), 110_000_000, 100).learning_rate == 1e-4


def test_a_name_alone_means_lora() -> None:
    recipe = override(
        "groundup finetune", Recipe(tasks={"chat": Finetune()}), ["--tasks.chat.adapter.name", "a"], []
    )
    assert recipe.tasks["chat"].adapter.method == "lora" and Finetune().adapter.method == "none"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Finetune(adapter=Adapter(name="../anna")), "adapter.name"),
        (Finetune(adapter=Adapter(kind="lora", rank=0)), "adapter.rank"),
        (Finetune(adapter=Adapter(kind="lora", dropout=1.0)), "adapter.dropout"),
        (Finetune(adapter=Adapter(kind="dora"), optimizer="muon"), "use adamw"),
    ],
)
def test_impossible_adapters_are_refused(settings: Finetune, words: str) -> None:
    recipe = load_recipe("smollm2")
    with pytest.raises(GroundupError, match=words):
        check(replace(recipe, tasks={"chat": settings}))
