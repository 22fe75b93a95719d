"""Templates to one file that loads nothing: style and script stand in it, and no other script may run."""

from __future__ import annotations

import base64
import hashlib
import json
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from defusedxml.ElementTree import fromstring

from pipeline.report.charts import Drawing
from pipeline.report.tables import columns, heading, number, words

_TEMPLATES = Path(__file__).parent / "templates"


def rendered(template: str, **values: Any) -> str:
    """A page from one of the templates here; whatever the values hold is text in it.

    Args:
        template: name of its file.
        values: what the template speaks of.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters.update(
        number=number,
        columns=columns,
        heading=heading,
        words=words,
        json=partial(json.dumps, indent=2, ensure_ascii=False),
    )
    code = script()
    style = (_TEMPLATES / "page.css").read_text("utf-8")
    return environment.get_template(template).render(
        style=style, script=code, script_hash=_hash(code), **values
    )


def standalone(drawing: Drawing) -> str:
    """A chart as a file of its own, in the page's colours, light and dark."""
    svg = fromstring(drawing)
    width, height = svg.attrib["viewBox"].split()[2:]
    svg.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "width": width, "height": height}
    colours = (_TEMPLATES / "page.css").read_text("utf-8").partition("* {")[0]  # they stand first
    style = ElementTree.Element("style")
    style.text = f"{colours}svg {{ background: var(--card); color: var(--ink); font-family: sans-serif; }}"
    svg.insert(0, style)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def script() -> str:
    """The only script of a page."""
    return (_TEMPLATES / "page.js").read_text("utf-8")


def _hash(code: str) -> str:
    """By which the page's policy knows it (Content Security Policy Level 3, section 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
