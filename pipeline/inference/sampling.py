"""How a model chooses its next token where a person talks to it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from pipeline.errors import GroundupError, nearest, shown

_TEMPERATURE, _TOP_P = 0.3, 0.9
"""For models that do not say how they sample; cool, since small models wander."""


@dataclass(frozen=True)
class Sampling:
    """Settings of one answer; what is None is the model's own (its generation configuration)."""

    temperature: float | None = None
    """Of the softmax: 0 takes the likeliest token; without it the model's own, or 0.3 where it has none."""
    top_p: float | None = None
    """Share of probability that is drawn from (Holtzman et al., 2020); without it the model's own, or 0.9."""
    max_new_tokens: int = 256
    """Tokens of an answer, at most; less where the model's context is full."""
    seed: int | None = None
    """With it the same words in the same conversation get the same answer; without it chance decides."""

    def checked(self) -> Sampling:
        """Itself.

        Raises:
            GroundupError: for a value that nothing can be sampled with.
        """
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise GroundupError(
                f"--temperature {self.temperature:g}", "it is no temperature", "use 0 or more"
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise GroundupError(f"--top-p {self.top_p:g}", "it is no share", "use more than 0, 1 at most")
        if self.max_new_tokens < 1:
            raise GroundupError(
                f"--max-new-tokens {self.max_new_tokens}", "nothing is answered", "use 1 or more"
            )
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise GroundupError(f"--seed {self.seed}", "it is no seed", "use 0 or more, below 2^63")
        return self

    def changed(self, name: str, value: str) -> Sampling:
        """With another value of a setting, as it is typed; ``none`` takes it back.

        Raises:
            GroundupError: for an unknown setting, naming the nearest, and for a value that does not fit.
        """
        known = {field.name.replace("_", "-"): field for field in dataclasses.fields(self)}
        name, value = name.strip().removeprefix("--").replace("_", "-"), value.strip()
        if name not in known:
            raise GroundupError(f"/set {shown(name)}", "no such setting", nearest(name, known))
        field, hint = known[name], get_type_hints(Sampling)[known[name].name]
        kind = int if int in (hint, *get_args(hint)) else float
        try:
            number = field.default if value.lower() == "none" else kind(value)
        except ValueError:
            whole = "whole " if kind is int else ""
            raise GroundupError(
                f"/set {name} {shown(value)}", f"it is no {whole}number", "write one, or none to take it back"
            ) from None
        changes: dict[str, Any] = {field.name: number}
        return dataclasses.replace(self, **changes).checked()

    def options(self, own: Any) -> dict[str, Any]:
        """What ``generate`` is told beside the number of tokens.

        Args:
            own: the model's generation configuration.
        """
        temperature, top_p = self.chosen(own)
        if not temperature:
            return {"do_sample": False, "num_beams": 1}
        return {"do_sample": True, "temperature": temperature, "top_p": top_p, "num_beams": 1}

    def chosen(self, own: Any) -> tuple[float, float]:
        """The temperature and the share of probability that hold for a model with this generation configuration."""
        temperature, top_p = (own.temperature, own.top_p) if own.do_sample else (_TEMPERATURE, _TOP_P)
        return (
            float(
                (1.0 if temperature is None else temperature)
                if self.temperature is None
                else self.temperature
            ),
            float((1.0 if top_p is None else top_p) if self.top_p is None else self.top_p),
        )

    def in_words(self, own: Any) -> str:
        """All settings as they hold, in one line."""
        temperature, top_p = self.chosen(own)
        seed = "none" if self.seed is None else self.seed
        return (
            f"temperature {temperature:g}, top-p {top_p:g}, max-new-tokens {self.max_new_tokens}, seed {seed}"
        )


MODELS_OWN = Sampling()
"""Nothing set."""
