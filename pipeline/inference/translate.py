"""A gettext catalogue, translated from one end to the other by a run's own model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import replacing
from pipeline.errors import GroundupError
from pipeline.inference.catalogue import slots
from pipeline.inference.finished import Finished, finished, finished_artifact
from pipeline.processes import say
from pipeline.recipe import Finetune
from pipeline.sources.translations import open_catalogue

if TYPE_CHECKING:
    from pipeline.stages import Run


@dataclass(frozen=True)
class Wish:
    """What is to be translated, and where it goes."""

    po: Path
    out: Path | None = None
    """None is beside the catalogue: ``fr.translated.po``."""
    into: str = ""
    """The language, where the model knows several; empty takes that of the catalogue's header."""
    fuzzy: bool = False
    """Whether translations that are marked as fuzzy are made anew."""
    overwrite: bool = False
    """Whether a file that is there may be replaced, the catalogue itself too."""

    @property
    def place(self) -> Path:
        """The file to write.

        Raises:
            GroundupError: where there is one that may not be replaced.
        """
        place = self.out or self.po.with_name(f"{self.po.stem}.translated.po")
        if place.exists() and not self.overwrite:
            raise GroundupError(str(place), "there is such a file", "name another with --out, or --overwrite")
        return place


@dataclass(frozen=True)
class Count:
    """What became of a catalogue's entries."""

    filled: int
    kept: int
    """Those that had a translation."""
    skipped: int
    """Those longer than the model reads or writes, or that it said nothing to."""
    repaired: int
    """Those filled whose placeholders the model had wrong."""

    def __str__(self) -> str:
        return (
            f"{self.filled} filled and marked as fuzzy, {self.kept} kept as they were, "
            f"{self.skipped} skipped (too long for the model, or nothing said), "
            f"{self.repaired} with repaired placeholders"
        )


def translate_catalogue(run: Run, name: str, wish: Wish) -> Count:
    """Fill in what has no translation; what has one, comments, header and obsolete entries stay.

    Args:
        run: whose model.
        name: of the task that it was fine-tuned for.
        wish: the catalogue, and where its translation goes.

    Raises:
        GroundupError: when no such model is finished, or the catalogue cannot be read or written.
    """
    if not wish.po.is_file():
        raise GroundupError(str(wish.po), "there is no such file", "name a catalogue with --po FILE")
    place = wish.place
    translator = _translator(run, name)
    catalogue = open_catalogue(wish.po)
    kept = len(catalogue.translated_entries()) + (0 if wish.fuzzy else len(catalogue.fuzzy_entries()))
    wanted = list(slots(catalogue, wish.fuzzy))
    texts = list(dict.fromkeys(slot.text for entry in wanted for slot in entry))
    say(f"{wish.po}: {len(wanted)} entries to translate, {len(texts)} different texts")
    into = wish.into or catalogue.metadata.get("Language", "")
    said = _translated(translator, texts, into)
    filled = [entry for entry in wanted if all(slot.text in said for slot in entry)]  # no plural by half
    for slot in chain.from_iterable(filled):
        slot.fill(said[slot.text].text)
    repaired = sum(any(said[slot.text].repaired for slot in entry) for entry in filled)
    _write(catalogue, place)
    count = Count(len(filled), kept, len(wanted) - len(filled), repaired)
    say(f"{place}: {count}")
    return count


def _write(catalogue: Any, place: Path) -> None:
    try:
        with replacing(place) as beside:
            catalogue.save(str(beside))
    except UnicodeEncodeError as error:
        raise GroundupError(
            str(place),
            f"{catalogue.encoding} has no '{error.object[error.start]}'",
            "turn the catalogue into UTF-8 first: msgconv -t UTF-8",
        ) from None


@dataclass(frozen=True)
class Translated:
    """One text."""

    text: str
    repaired: bool


def _translator(run: Run, name: str) -> Finished:
    from pipeline.tasks import task_named

    task_named(name, Finetune()).asked("")  # refuses a task that does not translate
    finished_artifact(run, name)
    return finished(run, name)


def _translated(made: Finished, texts: Sequence[str], into: str) -> dict[str, Translated]:
    """Texts by their source; without those that are too long, or that nothing was said to."""
    asked = [made.task.asked(text, into) for text in texts]
    config = made.model.config
    fitting = [example for example in asked if made.task.fits(example, made.tokenizer, config)]
    said = made.task.predict(made.model, made.tokenizer, fitting)
    return {
        example.group: Translated(prediction["prediction"], bool(prediction["placeholders_mended"]))
        for example, prediction in zip(fitting, said, strict=True)
        if prediction["ended"] and prediction["prediction"].strip()
    }
