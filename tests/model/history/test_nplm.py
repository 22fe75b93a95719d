"""The neural probabilistic language model: what it says is what the paper's equation gives, worked in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.checks.model import check_model
from pipeline.errors import GroundupError
from tests.model.history.small import settings_of, small, tokens


@pytest.mark.parametrize("direct", [True, False])
def test_two_documents_of_a_row_by_the_equation(direct: bool) -> None:
    model, ids = small("nplm", direct=direct, window=3), tokens(1)
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    table, before = weights["model.embed_tokens.weight"], weights["model.before"]
    hidden, d, b = (
        weights[f"{name}"] for name in ("model.hidden.weight", "model.hidden.bias", "lm_head.bias")
    )
    u, w = weights["lm_head.weight"][:, :8], weights["lm_head.weight"][:, 8:]
    assert w.shape[1] == (24 if direct else 0)

    wanted = []
    for document in (ids[0, :5].tolist(), ids[0, 5:].tolist()):
        for end in range(1, len(document) + 1):
            last = [*([None] * 3), *document[:end]][-3:][::-1]
            x = np.concatenate([before if word is None else table[word] for word in last])
            y = b + u @ np.tanh(d + hidden @ x)
            wanted.append(y + w @ x if direct else y)
    positions = torch.tensor([[*range(5), *range(7)]])
    with torch.no_grad():
        said = model(ids, position_ids=positions).logits[0].numpy()
    assert np.allclose(said, np.array(wanted), atol=1e-12)


def test_words_before_the_window_are_not_seen() -> None:
    model, ids = small("nplm", window=3), tokens(1)
    other = ids.clone()
    other[0, 0] = 3 if ids[0, 0] == 2 else 2
    with torch.no_grad():
        one, two = model(ids).logits, model(other).logits
    assert not torch.allclose(one[0, 2], two[0, 2]) and torch.equal(one[0, 3:], two[0, 3:])


def test_a_window_of_no_words_is_refused() -> None:
    with pytest.raises(GroundupError, match=r"--model.window: 0 words tell nothing; use at least 1"):
        check_model(settings_of("nplm", window=0))
