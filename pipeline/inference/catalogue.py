"""What there is to translate in a gettext catalogue, and filling it in."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.evaluate.placeholders import placeholders

_COUNT = re.compile(r"nplurals\s*=\s*(\d+)")
_RULE = re.compile(r"plural\s*=\s*([^;]+)")
_NUMBERS = range(1000)
"""By which a plural form is seen to be for one number or for many."""
_MANY = 5
"""Numbers; a form for fewer may leave the number out (msgfmt's own bound)."""


@dataclass(frozen=True)
class Slot:
    """One text of a catalogue that has no translation, or one that is to be made anew."""

    entry: Any
    """polib's."""
    form: int | None
    """Of a message with a plural."""
    source: str

    @property
    def text(self) -> str:
        """The source without white space around it, which is no matter of language."""
        return self.source.strip()

    def fill(self, text: str) -> None:
        """Put a translation in, with the source's white space around it, and mark the entry as fuzzy.

        ``msgfmt --check`` wants line ends at both ends as in the source, and no ``%`` in a format without one.
        """
        if "%" not in self.source and any(flag.endswith("-format") for flag in self.entry.flags):
            text = text.replace("%", "")
        begins = len(self.source) - len(self.source.lstrip())
        ends = len(self.source.rstrip())
        whole = self.source[:begins] + text + self.source[ends:]
        if self.form is None:
            self.entry.msgstr = whole
        else:
            self.entry.msgstr_plural[self.form] = whole
        if "fuzzy" not in self.entry.flags:
            self.entry.flags.insert(0, "fuzzy")


def slots(catalogue: Any, fuzzy: bool) -> Iterator[list[Slot]]:
    """The texts of each entry that has no translation, in order; obsolete entries have none.

    Args:
        catalogue: polib's; empty plural forms that its header knows nothing of are dropped.
        fuzzy: whether to take fuzzy entries too, whose translations are then made anew.
    """
    header = catalogue.metadata.get("Plural-Forms", "")
    for entry in catalogue:
        anew = fuzzy and "fuzzy" in entry.flags
        if anew:  # the message that its translation was of
            entry.previous_msgctxt = entry.previous_msgid = entry.previous_msgid_plural = None
        found = [] if entry.obsolete else list(_of_entry(entry, header, anew))
        if found:
            yield found


def _of_entry(entry: Any, header: str, anew: bool) -> Iterator[Slot]:
    if not entry.msgid_plural:
        if entry.msgid.strip() and (anew or not entry.msgstr):
            yield Slot(entry, None, entry.msgid)
        return
    forms = entry.msgstr_plural
    count = _forms(header) or len(forms) or 2
    for surplus in [form for form, text in forms.items() if form >= count and not text]:
        del forms[surplus]
    for form in range(count):
        if anew or not forms.get(form):
            yield Slot(entry, form, _source_of(entry, form, header))


def _forms(header: str) -> int:
    """Of the language; 0 where the header does not say."""
    found = _COUNT.search(header)
    return int(found[1]) if found else 0


def _source_of(entry: Any, form: int, header: str) -> str:
    """The singular for the form of the number 1, where it can stand for all the numbers that have this form."""
    rule = _RULE.search(header)
    try:
        choose = gettext.c2py(rule[1].strip() if rule else "n != 1")
        numbers = [n for n in _NUMBERS if choose(n) == form]
    except ValueError:  # a template's header, which nobody has filled in
        numbers = [1] if form == 0 else []
    alike = sorted(placeholders(entry.msgid)) == sorted(placeholders(entry.msgid_plural))
    if 1 in numbers and (alike or len(numbers) < _MANY):
        return entry.msgid
    return entry.msgid_plural
