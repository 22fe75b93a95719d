"""The documentation that every Python installation carries: topics, docstrings and text files."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from pipeline.sources.base import Row, reads_installed
from pipeline.sources.licences import PYTHON, stated_licence

PACKAGES = {
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "numpy": "numpy",
    "pandas": "pandas",
    "matplotlib": "matplotlib",
    "networkx": "networkx",
    "django": "Django",
    "datasets": "datasets",
}
"""Import and distribution names of packages with much prose in their docstrings; absent ones are passed over."""

LICENCE = "Python and Matplotlib: PSF-based licences; Datasets: Apache-2.0; the others: BSD-3-Clause"
"""Of all of it together; a row has that of its own package."""


@reads_installed("documentation", *PACKAGES.values(), licence=LICENCE)
def read_documentation() -> Iterator[Row]:
    """Column ``text``: a help topic, the docstrings of one module, or one text file; grouped by module."""
    import pydoc_data.topics

    for topic, text in sorted(pydoc_data.topics.topics.items()):
        yield Row({"text": text}, f"pydoc topic {topic}", f"topic {topic}", PYTHON)
    for module, path, licence in _modules():
        docstrings = [text for _, text in _docstrings(path)]
        if docstrings:
            yield Row({"text": "\n\n".join(docstrings)}, str(path), module, licence)
    for module, path, licence in _files(".rst", ".md", ".txt"):
        yield Row({"text": path.read_text("utf-8", errors="replace")}, str(path), module, licence)


@reads_installed("docstrings", *PACKAGES.values(), licence=LICENCE)
def read_docstrings() -> Iterator[Row]:
    """Columns ``name`` and ``text``: one docstring a row, grouped by module like the documentation."""
    for module, path, licence in _modules():
        for name, text in _docstrings(path):
            yield Row({"name": name, "text": text}, f"{module} {name}", module, licence)


def _modules() -> Iterator[tuple[str, Path, str]]:
    return _files(".py")


def _files(*suffixes: str) -> Iterator[tuple[str, Path, str]]:
    """Dotted name, path and licence of the files with these suffixes, in a fixed order, tests left out."""
    standard = Path(sysconfig.get_paths()["stdlib"])
    packages = [(path, name, stated_licence(PACKAGES[name])) for name, path in _installed_packages()]
    for root, prefix, licence in [(standard, "", PYTHON), *packages]:
        for path in sorted(root.rglob("*")):
            parts = path.relative_to(root).with_suffix("").parts
            if path.suffix in suffixes and not {"site-packages", "test", "tests", "idlelib", "lib2to3"} & set(
                parts
            ):
                yield ".".join((prefix, *parts) if prefix else parts), path, licence


def _installed_packages() -> Iterator[tuple[str, Path]]:
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        if found is not None and found.submodule_search_locations:
            yield name, Path(next(iter(found.submodule_search_locations)))


def _docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Names and docstrings of a module, its classes and functions, read without running any of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # templates and files for other versions of Python
            return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield getattr(node, "name", path.stem), inspect.cleandoc(text)
