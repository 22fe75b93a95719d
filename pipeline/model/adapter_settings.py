"""Settings of adapters that cannot be, refused before any work begins."""

from __future__ import annotations

import importlib.util
import re

from pipeline.errors import GroundupError
from pipeline.recipe import Finetune

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_NEEDED = {"lora": ("peft",), "dora": ("peft",), "qlora": ("peft", "bitsandbytes")}


def check_adapter(section: str, settings: Finetune) -> None:
    """Refuse an adapter that could not be trained.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    adapter = settings.adapter
    if adapter.method == "none":
        return
    for holds, setting, what, remedy in (
        (
            not adapter.name or _NAME.fullmatch(adapter.name),
            "adapter.name",
            f"'{adapter.name}' is no name of a directory",
            "use letters, digits, '-' and '_'",
        ),
        (adapter.rank > 0, "adapter.rank", f"a rank of {adapter.rank} holds nothing", "use 1 or more"),
        (adapter.alpha > 0, "adapter.alpha", f"{adapter.alpha:g} adds nothing", "use twice the rank"),
        (0 <= adapter.dropout < 1, "adapter.dropout", f"{adapter.dropout:g} is no share", "use 0 to below 1"),
        (
            settings.optimizer != "muon",
            "optimizer",
            "Muon is for the matrices of layers, and an adapter's are factors of a change to them",
            "use adamw",
        ),
    ):
        if not holds:
            raise GroundupError(f"--{section}.{setting}", what, remedy)
    missing = [name for name in _NEEDED[adapter.method] if importlib.util.find_spec(name) is None]
    if missing:
        needed = " and ".join(_NEEDED[adapter.method])
        raise GroundupError(
            f"--{section}.adapter",
            f"{adapter.method} needs {needed}",
            f"pip install {' '.join(missing)}",
        )
