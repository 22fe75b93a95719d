"""What nobody else may read, taken out of what is printed and written: tokens, passwords, signed addresses."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

HIDDEN = "***"
_NAMES = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|CREDENTIAL", re.IGNORECASE)
"""In names of environment variables whose values are secrets."""
_SHORTEST = 8
"""Characters of a value that is taken for a secret; what is shorter is a switch or a number."""
_SHAPES = (
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),  # a user and a password before a host
    re.compile(r"\bhf_[A-Za-z0-9]{16,}"),
    re.compile(r"(?<=[?&]token=)[^&\s]+|(?<=[?&]key=)[^&\s]+|(?<=Signature=)[^&\s]+|(?<=Bearer )[\w.~+/-]+"),
)


def redacted(value: Any) -> Any:
    """A text, or a tree of JSON values, with ``***`` for every secret of this machine or in the shape of one."""
    secrets = sorted(_secrets(), key=len, reverse=True)  # one may begin with another
    return _without(value, secrets)


def _without(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        for shape in _SHAPES:
            value = shape.sub(HIDDEN, value)
        return value
    if isinstance(value, Mapping):
        return {name: _without(part, secrets) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without(part, secrets) for part in value]
    return value


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        # Names of files with secrets, and of what is to be a token in a text, are none.
        if _NAMES.search(name) and len(value) >= _SHORTEST and not Path(value).exists():
            yield value
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    stored = Path(os.environ.get("HF_TOKEN_PATH", f"{home}/token")).expanduser()
    try:
        yield from filter(None, [stored.read_text("utf-8").strip()])
    except (OSError, ValueError):
        return


def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that nobody expected, as the interpreter tells it, without secrets; for ``sys.excepthook``."""
    print(redacted("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)
