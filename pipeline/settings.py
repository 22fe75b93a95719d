"""Dataclasses of settings: their types checked, as plain values and back, and their fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pipeline.errors import GroundupError, nearest

T = TypeVar("T")


def incidental(default: Any) -> Any:
    """A setting that changes how a result is reached and not the result: it stays out of fingerprints."""
    return dataclasses.field(default=default, metadata={"incidental": True})


def check_types(settings: Any, prefix: str = "") -> None:
    """A recipe is a Python file, so nothing but this keeps a string out of a number's place.

    Raises:
        GroundupError: naming the setting as the command line spells it.
    """
    import typeguard  # training alone runs without it

    hints = get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        value, name = getattr(settings, field.name), prefix + field.name.replace("_", "-")
        try:
            typeguard.check_type(value, hints[field.name])
        except typeguard.TypeCheckError as error:
            hint, names = hints[field.name], choices(hints[field.name])
            kind = str(hint) if get_origin(hint) else hint.__name__
            remedy = nearest(value, names) if isinstance(value, str) and names else f"give a {kind}"
            raise GroundupError(f"--{name}", f"{value!r} is wrong ({error})", remedy) from None
        entries = value if isinstance(value, Mapping) else {"": value}
        for key, entry in entries.items():
            if dataclasses.is_dataclass(entry):
                check_types(entry, f"{name}.{key}." if key else f"{name}.")


def choices(hint: Any) -> tuple[str, ...]:
    """The names that a type allows, wherever it holds a Literal; none where it allows any text."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(name for part in get_args(hint) for name in choices(part))


def as_settings(value: Any) -> Any:
    """Settings as plain JSON values, every field included."""
    return _plain(value, incidental=True)


def from_settings(kind: type[T], values: Mapping[str, Any]) -> T:
    """The inverse of ``as_settings`` for one dataclass, as manifests keep it."""
    hints = get_type_hints(kind)

    def restored(name: str, value: Any) -> Any:
        if dataclasses.is_dataclass(hints[name]):
            return from_settings(hints[name], value)
        return tuple(value) if isinstance(value, list) else value

    return kind(**{name: restored(name, value) for name, value in values.items()})


def fingerprint(*parts: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of the parts' canonical JSON, incidental fields left out."""
    canonical = json.dumps(_plain(parts, incidental=False), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _plain(value: Any, incidental: bool) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f for f in dataclasses.fields(value) if incidental or not f.metadata.get("incidental")]
        return {f.name: _plain(getattr(value, f.name), incidental) for f in fields}
    if isinstance(value, Mapping):
        return {key: _plain(entry, incidental) for key, entry in value.items()}
    return [_plain(entry, incidental) for entry in value] if isinstance(value, list | tuple) else value
