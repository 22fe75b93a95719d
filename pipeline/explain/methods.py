"""The methods of attribution. A new one is a function of the kind ``Attribute``, and one line here."""

from __future__ import annotations

from pipeline.errors import GroundupError, nearest
from pipeline.explain.asked import ATTENTION_ROLLOUT, INTEGRATED_GRADIENTS
from pipeline.explain.attributed import Attribute
from pipeline.explain.gradients import integrated_gradients
from pipeline.explain.rollout import attention_rollout

METHODS: dict[str, Attribute] = {
    INTEGRATED_GRADIENTS: integrated_gradients,
    ATTENTION_ROLLOUT: attention_rollout,
}


def method_named(name: str) -> Attribute:
    """The method of a name.

    Raises:
        GroundupError: for an unknown one, naming the nearest right one.
    """
    if name not in METHODS:
        raise GroundupError(f"--method {name}", "there is no such method", nearest(name, METHODS))
    return METHODS[name]
