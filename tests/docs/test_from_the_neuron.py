"""The tutorial's own code: what it prints, its derivatives by autograd, its descents by torch's optimisers."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from docs.scripts.pages import TUTORIALS, codes

PAGES = ("from-the-neuron", "from-the-neuron.zh")
_PRINTED = re.compile(r"<!-- printed -->\n```text\n(.*?)\n```\n<!-- /printed -->", re.DOTALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the page's files, which can be imported."""
    place = tmp_path_factory.mktemp("desk")
    files = [code for code in codes(TUTORIALS / f"{PAGES[0]}.md") if code.file]
    for code in files:
        (place / code.file).write_text(code.text, "utf-8")
    sys.path.insert(0, str(place))
    yield place
    sys.path.remove(str(place))
    for code in files:
        sys.modules.pop(code.file.removesuffix(".py"), None)


def test_the_page_prints_what_its_code_prints(desk: Path) -> None:
    page = TUTORIALS / f"{PAGES[0]}.md"
    steps = [code.text.split() for code in codes(page) if code.language == "sh"]
    said = [
        subprocess.run(
            [sys.executable, *words[1:]], cwd=desk, capture_output=True, text=True, check=True
        ).stdout
        for words in steps
    ]
    assert [one.strip() for one in said if one] == _PRINTED.findall(page.read_text("utf-8"))
    assert (desk / "descent.svg").read_text().count("<path") > 5 and "NOT" not in "".join(said)
    losses = json.loads((desk / "descent.json").read_text())
    assert len(losses) == 5 and all(len(one) == 41 and one[-1] < 0.05 for one in losses.values())


def test_both_languages_have_the_same_code_and_prints() -> None:
    english, chinese = (TUTORIALS / f"{name}.md" for name in PAGES)
    own = [[code.text for code in codes(page) if code.language] for page in (english, chinese)]
    assert own[0] == own[1] and len(own[0]) > 10
    prints = [_PRINTED.findall(page.read_text("utf-8")) for page in (english, chinese)]
    assert prints[0] == prints[1] and len(prints[0]) == 4
    assert english.read_text("utf-8").count("\n## ") == chinese.read_text("utf-8").count("\n## ")


def _tensors(weights: Any) -> list[torch.Tensor]:
    return [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in weights]


def _loss(tensors: list[torch.Tensor], x: Any, y: Any) -> torch.Tensor:
    into_hidden, hidden_bias, into_output, output_bias = tensors
    hidden = torch.relu(torch.as_tensor(x, dtype=torch.float64) @ into_hidden.T + hidden_bias)
    return torch.nn.functional.cross_entropy(hidden @ into_output.T + output_bias, torch.as_tensor(y))


def _flat(parts: Any) -> Any:
    return np.concatenate([np.asarray(part).ravel() for part in parts])


def test_derivatives_are_those_of_autograd_and_those_worked_by_hand(desk: Path) -> None:
    hand, network = importlib.import_module("by_hand"), importlib.import_module("network")
    tensors = _tensors(hand.w)
    _loss(tensors, hand.x, hand.y).backward()
    assert _flat(hand.back.weights) == pytest.approx(_flat([t.grad for t in tensors]), abs=1e-14)
    assert hand.seen.loss == pytest.approx(np.log(2))
    worked = [[-0.5, -1, -1.5], [0, 0, 0], [1, 2, 3], [-0.5, -1, -1.5]]
    assert hand.back.weights.W1.tolist() == worked
    assert hand.back.weights.W2.tolist() == [[-0.5, 0, -1, -1], [0.5, 0, 1, 1]]

    draw = np.random.default_rng(1)
    for examples in (1, 5, 64):
        w = network.Weights(*(draw.normal(size=a.shape) for a in hand.w))
        x, y = draw.normal(size=(examples, 3)), draw.integers(0, 2, examples)
        ours = network.backward(w, x, y, network.forward(w, x, y)).weights
        tensors = _tensors(w)
        loss = _loss(tensors, x, y)
        loss.backward()
        assert network.forward(w, x, y).loss == pytest.approx(loss.item(), abs=1e-13)
        assert _flat(ours) == pytest.approx(_flat([t.grad for t in tensors]), abs=1e-13)


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "batch": torch.optim.SGD,
    "stochastic": torch.optim.SGD,
    "mini-batch": torch.optim.SGD,
    "momentum": lambda tensors, lr: torch.optim.SGD(tensors, lr=lr, momentum=0.9),
    "adam": lambda tensors, lr: torch.optim.Adam(tensors, lr=lr),
}


@pytest.mark.parametrize("way", OPTIMISERS)
def test_each_descent_is_that_of_torchs_optimiser(desk: Path, way: str) -> None:
    descent, problem = importlib.import_module("descent"), importlib.import_module("problem")
    passes, rate, batch = 3, 0.02, descent.WAYS[way][0]
    tensors = _tensors(problem.start())
    optimiser = OPTIMISERS[way](tensors, lr=rate)
    losses = [_loss(tensors, problem.x, problem.y).item()]
    order = np.random.default_rng(0)
    for _ in range(passes):
        for some in order.permutation(64).reshape(-1, batch):
            optimiser.zero_grad()
            _loss(tensors, problem.x[some], problem.y[some]).backward()
            optimiser.step()
        losses.append(_loss(tensors, problem.x, problem.y).item())
    assert descent.descend(way, rate, passes) == pytest.approx(losses, abs=1e-9)
    assert len(set(losses)) == 4


def test_no_line_parts_the_classes(desk: Path) -> None:
    problem = importlib.import_module("problem")
    assert LogisticRegression().fit(problem.x, problem.y).score(problem.x, problem.y) <= 0.6
