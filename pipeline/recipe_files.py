"""Recipes by name or path: Python files with a value ``recipe``, and what may be wrong with them."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import traceback
import types
from pathlib import Path

from pipeline import recipe
from pipeline.errors import GroundupError, first_line, nearest
from pipeline.recipe import Recipe
from pipeline.settings import check_types

RECIPES = Path(__file__).parent.parent / "recipes"


def load_recipe(name: str) -> Recipe:
    """The value ``recipe`` of ``recipes/NAME.py``, or of a Python file given by its path.

    Raises:
        GroundupError: for an unknown name, naming the nearest right one, and for a file that is no such recipe.
    """
    path = Path(name) if name.endswith(".py") else RECIPES / f"{name}.py"
    if not path.is_file():
        raise GroundupError(f"recipe '{name}'", f"there is no {path.name}", nearest(name, recipe_names()))
    module = _module(path)
    found = getattr(module, "recipe", None)
    if not isinstance(found, Recipe):
        raise GroundupError(str(path), "it defines no 'recipe' of type Recipe", "write recipe = Recipe(...)")
    check_types(found)
    return found


def _module(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"recipes.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a person may write in a Python file
        raise GroundupError(f"{path}{_line_of(error, path)}", _said(error), "mend the recipe") from error
    return module


def _line_of(error: Exception, path: Path) -> str:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    number = error.lineno if isinstance(error, SyntaxError) else next(reversed(lines), None)
    return f" line {number}" if number else ""


def _said(error: Exception) -> str:
    """A library's words for it; for a setting that does not exist, with the nearest one that does."""
    said = f"{type(error).__name__}: {first_line(error)}"
    unknown = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", said)
    kind = getattr(recipe, unknown[1], None) if unknown else None
    if unknown and dataclasses.is_dataclass(kind):
        names = [f.name for f in dataclasses.fields(kind)]
        return f"{unknown[1]} has no setting '{unknown[2]}' ({nearest(unknown[2], names)})"
    return said


def recipe_names() -> list[str]:
    """Names of the recipes that come with Groundup."""
    return sorted(p.stem for p in RECIPES.glob("*.py") if not p.stem.startswith("_"))
