"""The one family of errors that a user can cause: where, what, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from pipeline.redaction import redacted

_SHOWN = 60
"""Characters of a value that a message repeats."""
_LONGEST_LINE = 400
"""Characters of a library's message."""
_COMPARED = 1000
"""Characters of a name that may be a misspelt one; to compare longer ones takes minutes."""
_LISTED = 40
"""Names that a message lists."""


class GroundupError(Exception):
    """Something the user can mend: a file, a row, a setting, the machine's room.

    Printed by the command line as one line, ``where: what; remedy``, with exit code 2.
    """

    exit_code = 2

    def __init__(self, where: str, what: str, remedy: str) -> None:
        self.where, self.what, self.remedy = where, what, remedy
        super().__init__(where, what, remedy)

    def __str__(self) -> str:
        return redacted(" ".join(f"{self.where}: {self.what}; {self.remedy}".split()))


class Interrupted(Exception):  # noqa: N818 - stopping is no error
    """The user stopped a stage; what it had done is saved and the same command goes on from there."""

    exit_code = 130


class CutOff(Interrupted):
    """A scheduler or the system stopped it, by SIGTERM or SIGUSR1, and may start the same command again."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again later


def nearest(name: str, right_names: Iterable[str]) -> str:
    """A remedy in words: the nearest right name, or those that there are when none is near."""
    names = sorted(right_names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5) if len(name) <= _COMPARED else []
    return f"did you mean '{shown(close[0])}'?" if close else f"choose one of: {listed(names)}"


def shown(value: object) -> str:
    """A value of a person's data as a sentence can hold it: what is long loses its end."""
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def listed(names: Sequence[str]) -> str:
    """Names with commas between, and how many more there are where they are many."""
    more = len(names) - _LISTED
    return ", ".join(map(shown, names[:_LISTED])) + (f" and {more:,} more" if more > 0 else "")


def first_line(error: BaseException) -> str:
    """The first line of a library's message, for use inside one of ours; a very long one loses its end."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def refuse_surrogates(text: str, place: str) -> None:
    """Refuse what UTF-8 cannot write.

    Raises:
        GroundupError: naming the place and the first such character.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise GroundupError(
            place,
            f"character {error.start + 1} is U+{ord(text[error.start]):04X}, half a surrogate pair and no text",
            "mend it, or let text.encode('utf-8', 'ignore').decode() drop it",
        ) from None
