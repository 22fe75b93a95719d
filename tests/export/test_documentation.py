"""The code of docs/exporting.md, where Groundup cannot be imported: it says what the original model says."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from pipeline.export.export import export
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from tests.command_line import ROOT

pytestmark = pytest.mark.skipif(find_spec("torchao") is None, reason="int8 needs make setup-torchao")

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "exporting.md").read_text("utf-8"), re.DOTALL)
_NOWHERE = "import sys\nsys.modules['pipeline'] = None\n"
TEXTS = ["The film was wonderful.", "The story in the small town was dull, and the plot slow."]


@pytest.fixture(scope="module")
def run(whole_run: Path, tiny: Path) -> Run:
    run = Run(load_recipe(str(tiny)), whole_run)
    export(run, "sentiment", ["onnx"], limit=4)
    export(run, "", ["onnx", "int8", "gguf"], limit=2)
    return run


def said(code: str, directory: Path, place: Path) -> str:
    """What it prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _NOWHERE + code.replace("EXPORT", str(directory))],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_code_for_each(run: Run) -> None:
    assert [("InferenceSession" in code, "gguf_file" in code) for code in CODE] == [
        (True, False),
        (True, False),
        (False, False),
        (False, True),
    ]


def test_a_classifier_by_onnx_runtime(run: Run, tmp_path: Path) -> None:
    path = run.artifact("finetune/sentiment").path
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(path),
        AutoTokenizer.from_pretrained(path),
    )
    expected = []
    for text in TEXTS:
        with torch.no_grad():
            logits = model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits[0]
        expected.append(f"{model.config.id2label[int(logits.argmax())]} {text}")
    assert said(CODE[0], run.path / "export/sentiment/onnx", tmp_path).splitlines() == expected


@pytest.mark.parametrize(("code", "name"), [(CODE[1], "onnx"), (CODE[3], "gguf"), (CODE[2], "int8")])
def test_a_model_that_writes(run: Run, tmp_path: Path, code: str, name: str) -> None:
    directory = run.path / "export" / "pretrain" / name
    path = directory if name == "int8" else run.artifact("pretrain").path
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    inputs = tokenizer("The film", return_tensors="pt", return_token_type_ids=False)
    penalty = (
        {"repetition_penalty": 1.0} if name != "int8" else {}
    )  # theirs is beside them, and not looked at
    written = model.generate(**inputs, max_new_tokens=20, do_sample=False, **penalty)[
        0, inputs["input_ids"].shape[1] :
    ]
    assert said(code, directory, tmp_path) == f"{tokenizer.decode(written, skip_special_tokens=True)}\n"
