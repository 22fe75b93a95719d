"""English–French messages of two programs, from the catalogues that their packages carry."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sources.base import Row, package_files, reads_installed
from pipeline.sources.translations import read_gettext

_CATALOGUES = ("jupyterlab_language_pack_fr_FR/**/*.mo", "django/**/locale/fr/**/*.po")


@reads_installed("french-messages", "jupyterlab-language-pack-fr-FR", "Django", licence="BSD-3-Clause")
def read_french_messages() -> Iterator[Row]:
    """Columns ``source`` and ``target``: messages of JupyterLab with its extensions, and of Django; each once."""
    seen: set[tuple[str, ...]] = set()
    for pattern in _CATALOGUES:
        for path in package_files(pattern):
            for row in read_gettext(path):
                pair = tuple(row.values.values())
                if pair not in seen:
                    seen.add(pair)
                    yield Row(row.values, row.place.removeprefix(f"{path.parent}/"))
