"""A model of history is published with the code that it is made of, and its card says how to let that run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import GroundupError
from pipeline.model import history
from pipeline.publish.card import model_card
from pipeline.publish.facts import Facts
from pipeline.publish.hub import goes_up
from pipeline.publish.space import space_files
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from tests.model.history.small import small
from tests.publish.finished_run import write_run


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run whose pre-trained model is an LSTM."""
    run = write_run(load_recipe(str(tiny)), tmp_path_factory.mktemp("own"))
    small("lstm").save_pretrained(run.artifact("pretrain").path)
    return run


def test_its_code_goes_up_with_it(run: Run) -> None:
    saved = {file.name for file in run.artifact("pretrain").path.glob("*.py")}
    assert saved == {"lstm.py", "shared.py"} <= set(history.CODE)
    assert all(goes_up(name) for name in saved) and not goes_up("app.py")


def test_the_card_says_how_to_load_it(run: Run) -> None:
    card = model_card(run, "pretrain", "a/b")
    assert 'AutoModelForCausalLM.from_pretrained("a/b", trust_remote_code=True)' in card
    file = run.artifact("pretrain").path / "config.json"
    config = json.loads(file.read_text())
    del config["auto_map"]
    file.write_text(json.dumps(config))
    assert "trust_remote_code" not in model_card(run, "pretrain", "a/b")


def test_there_is_no_page_for_it(run: Run) -> None:
    small("lstm").save_pretrained(run.artifact("pretrain").path)
    with pytest.raises(GroundupError, match="family lstm: its code lies beside its weights"):
        space_files(Facts(run, "pretrain"), "a/b", "main")
