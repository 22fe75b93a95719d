"""What a format is: how a model is written in it, and read again to be compared."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import GroundupError

if TYPE_CHECKING:
    from pipeline.export.original import Original


class Format(ABC):
    """One format. A new one is one file that subclasses this, and one line in ``pipeline/export/formats``."""

    name: str
    weights: ClassVar[tuple[str, ...]] = ("*.safetensors",)
    """Patterns of the files that hold the weights."""
    packages: ClassVar[Mapping[str, str]] = {}
    """Distributions that it is written and read with, by the name of the module."""
    setup: ClassVar[str] = "setup"
    """What ``make`` installs these by."""
    exact: bool = False
    """Whether every logit has to be the original's, but for rounding."""
    runs_here: ClassVar[bool] = True
    """Whether it is read by what it is made for, so that its speed can be measured."""

    def refuse(self, original: Original) -> None:
        """Refuse a model that cannot be written in it, or not here, before any work.

        Raises:
            GroundupError: naming the reason and what to do.
        """
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise GroundupError(
                self.name,
                f"{', '.join(self.packages[name] for name in missing)} is not installed",
                f"run make {self.setup}",
            )
        self.check(original)

    def check(self, original: Original) -> None:  # noqa: B027  # some take every model
        """What ``refuse`` asks once its packages are there.

        Raises:
            GroundupError: naming the reason and what to do.
        """

    def versions(self) -> dict[str, str]:
        """Of its packages, by distribution."""
        return {name: importlib.metadata.version(name) for name in self.packages.values()}

    @abstractmethod
    def write(self, original: Original, directory: Path, texts: Sequence[str]) -> None:
        """Write the model, its configuration and its tokenizer.

        Args:
            original: the model.
            directory: there, and empty.
            texts: held-out ones, to try a tokenizer on.

        Raises:
            GroundupError: when a library cannot write this model.
        """

    @abstractmethod
    def model(self, directory: Path, head: str) -> Any:
        """What was written as a model of transformers' interface, by the class that its head is of.

        Raises:
            GroundupError: when it cannot be read.
        """

    def tokenizer(self, directory: Path) -> Any:
        """Its tokenizer."""
        from pipeline.model.published import load_tokenizer

        return load_tokenizer(str(directory))


def refuse_head(name: str, original: Original, heads: Sequence[str]) -> None:
    """Refuse a model with another head than these.

    Raises:
        GroundupError: naming both.
    """
    if original.head not in heads:
        raise GroundupError(
            name,
            f"{original.stage} is an {original.head}, and {name} is written here of {', '.join(heads)}",
            "use another format, such as int8",
        )
