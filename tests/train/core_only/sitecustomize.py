"""Python reads this as it starts when this directory is on PYTHONPATH: then little of what is installed is found.

What is found is torch, transformers, accelerate and tokenizers, and what these require themselves.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from types import ModuleType

from packaging.requirements import Requirement

KEPT = ("torch", "transformers", "accelerate", "tokenizers")


def _required(names: Sequence[str]) -> set[str]:
    """Distributions with all that they require, extras left out."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = _normal(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            requirements = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue
        waiting += [r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_kept = {"groundup", *_required(KEPT)}
_refused = {
    module
    for module, names in packages_distributions().items()
    if _kept.isdisjoint(map(_normal, names))
    and module != "benchmarks"  # Opacus has one; ours comes before it
}


class CoreFinder(PathFinder):
    """Python's own way of finding modules, but for those that are refused."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in _refused:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = CoreFinder
