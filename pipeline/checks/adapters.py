"""Settings of adapters that cannot be, refused before any work begins."""

from __future__ import annotations

import importlib.util
import re

from pipeline.checks.refusal import require
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
    where = f"{section}.adapter"
    require(
        not adapter.name or _NAME.fullmatch(adapter.name) is not None,
        f"{where}.name",
        f"'{adapter.name}' is no name of a directory",
        "use letters, digits, '-' and '_'",
    )
    require(adapter.rank > 0, f"{where}.rank", f"a rank of {adapter.rank} holds nothing", "use 1 or more")
    require(adapter.alpha > 0, f"{where}.alpha", f"{adapter.alpha:g} adds nothing", "use twice the rank")
    require(
        0 <= adapter.dropout < 1, f"{where}.dropout", f"{adapter.dropout:g} is no share", "use 0 to below 1"
    )
    require(
        settings.optimizer != "muon",
        f"{section}.optimizer",
        "Muon is for the matrices of layers, and an adapter's are factors of a change to them",
        "use adamw",
    )
    missing = [name for name in _NEEDED[adapter.method] if importlib.util.find_spec(name) is None]
    require(
        not missing,
        where,
        f"{adapter.method} needs {' and '.join(_NEEDED[adapter.method])}",
        f"pip install {' '.join(missing)}",
    )
