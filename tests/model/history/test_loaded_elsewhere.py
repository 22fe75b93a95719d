"""Models of history load where Groundup is not installed, by the code beside their weights, which never runs here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

from pipeline.errors import GroundupError
from pipeline.model import history
from pipeline.model.published import load_config, load_model
from tests.command_line import ROOT
from tests.model.history.small import small, tokens

_WITHOUT = "import sys\nsys.modules['pipeline'] = None  # whoever imports it finds none\n"
_ELSEWHERE = f"""{_WITHOUT}
import json, torch, transformers
found = {{}}
for place, head in json.loads(sys.argv[1]).items():
    loader = getattr(transformers, head)
    model = loader.from_pretrained(place, trust_remote_code=True, dtype="float64")
    ids = torch.tensor(json.loads(sys.argv[2]))
    positions = torch.tensor([[*range(5), *range(7)]] * 2)
    with torch.no_grad():
        found[place] = next(iter(model(input_ids=ids, position_ids=positions).values())).tolist()
    if model.can_generate():
        assert model.generate(ids, max_new_tokens=3).shape[1] > ids.shape[1]
print(json.dumps(found))
"""
_HEADS = ("AutoModelForCausalLM", "AutoModelForSequenceClassification", "AutoModelForQuestionAnswering")


def _saved(directory: Path) -> dict[str, str]:
    """Every family under every head that it has, and by which Auto class each directory loads."""
    found = {}
    for family in history.FAMILIES:
        model = small(family)
        for head in _HEADS[: 3 if family in history.TRAINED else 1]:
            place = directory / family / head
            if head != _HEADS[0]:
                torch.manual_seed(0)
                model = getattr(transformers, head).from_config(model.config, dtype=torch.float64)
            model.save_pretrained(place)
            found[str(place)] = head
    return found


def test_in_a_process_without_groundup(tmp_path: Path) -> None:
    saved, ids = _saved(tmp_path / "saved"), tokens()
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ELSEWHERE, json.dumps(saved), json.dumps(ids.tolist())],
        cwd=tmp_path,
        env={"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    positions = torch.tensor([[*range(5), *range(7)]] * 2)
    for place, head in saved.items():
        with torch.no_grad():
            model = load_model(place, head).double()
            wanted = next(iter(model(input_ids=ids, position_ids=positions).values()))
        assert torch.allclose(torch.tensor(found[place], dtype=torch.float64), wanted, atol=1e-5), place


def test_a_head_that_was_not_saved_is_put_on_elsewhere(tmp_path: Path) -> None:
    small("lstm").save_pretrained(tmp_path / "saved")
    code = (
        f"{_WITHOUT}import transformers\n"
        "model = transformers.AutoModelForSequenceClassification.from_pretrained('saved', trust_remote_code=True)\n"
        "print(type(model).__name__, type(model.model).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        env={"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["LstmForSequenceClassification", "LstmModel"], done.stderr


def test_in_another_process_with_groundup(tmp_path: Path) -> None:
    saved = _saved(tmp_path)
    code = (
        "import json, sys\nfrom pipeline.model.published import load_model\n"
        "for place, head in json.loads(sys.argv[1]).items():\n"
        "    print(type(load_model(place, head)).__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(saved)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wanted = [f"pipeline.model.history.{Path(place).parent.name}" for place in saved]
    assert done.stdout.split() == wanted


@pytest.mark.parametrize("family", history.FAMILIES)
def test_code_beside_the_weights_does_not_run_here(family: str, tmp_path: Path) -> None:
    small(family).save_pretrained(tmp_path)
    was_here = tmp_path / "was here"
    for file in tmp_path.glob("*.py"):
        file.write_text(f"import os\nos.makedirs({str(was_here)!r}, exist_ok=True)\n{file.read_text()}")
    assert type(load_model(str(tmp_path), _HEADS[0])).__module__ == f"pipeline.model.history.{family}"
    assert not was_here.exists()
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "another"}))
    with pytest.raises(GroundupError, match="code of its own, which is not run"):
        load_config(str(tmp_path))
    assert not was_here.exists()


def test_a_model_s_files_import_nothing_of_groundup() -> None:
    for file in (ROOT / "pipeline" / "model" / "history").glob("*.py"):
        if file.name != "__init__.py":
            assert "pipeline" not in file.read_text(), file
