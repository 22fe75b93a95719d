"""The LSTM: what it says is what its equations give, worked in numpy one number after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from pipeline.model.history.lstm import LstmConfig
from tests.model.history.small import small, tokens


def _by_the_equations(weights: dict[str, Any], ids: list[int]) -> np.ndarray:
    """Logits of one document, ``(length, |V|)``."""
    size = weights["model.embed_tokens.weight"].shape[1]

    def logistic(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    h, c = np.zeros((2, size)), np.zeros((2, size))
    said = []
    for token in ids:
        x = weights["model.embed_tokens.weight"][token]
        for layer in (0, 1):
            into, over = (weights[f"model.lstm.weight_{kind}_l{layer}"] for kind in ("ih", "hh"))
            bias = weights[f"model.lstm.bias_ih_l{layer}"] + weights[f"model.lstm.bias_hh_l{layer}"]
            i, f, g, o = np.split(into @ x + over @ h[layer] + bias, 4)
            c[layer] = logistic(f) * c[layer] + logistic(i) * np.tanh(g)
            h[layer] = x = logistic(o) * np.tanh(c[layer])
        said.append(weights["lm_head.weight"] @ x + weights["lm_head.bias"])
    return np.array(said)


def test_two_documents_of_a_row_by_the_equations() -> None:
    model, ids = small("lstm"), tokens(1)
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    positions = torch.tensor([[*range(5), *range(7)]])
    with torch.no_grad():
        said = model(ids, position_ids=positions).logits[0].numpy()
    row = ids[0].tolist()
    wanted = np.concatenate([_by_the_equations(weights, row[:5]), _by_the_equations(weights, row[5:])])
    assert np.allclose(said, wanted, atol=1e-12)


def test_a_cell_keeps_what_it_holds_at_first() -> None:
    model = AutoModelForCausalLM.from_config(LstmConfig(vocab_size=16, hidden_size=4, num_hidden_layers=2))
    for layer in (0, 1):
        forget = getattr(model.model.lstm, f"bias_ih_l{layer}").detach().split(4)
        assert [gate.unique().tolist() for gate in forget] == [[0.0], [1.0], [0.0], [0.0]]
