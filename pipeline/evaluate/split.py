"""The one rule of what is held out, for the corpus and for every task.

A group (a text, a country, a module) is held out when the hash of its name and the seed falls below the
share. The rule needs no list, so it holds over any order, any number of files and any stage: what a task
measures itself on, the language model was not trained on either.
"""

from __future__ import annotations

import hashlib
import unicodedata


def is_held_out(group: str, share: float, seed: int) -> bool:
    """Whether a group is held out."""
    return position(group, seed) < share


def position(group: str, seed: int) -> float:
    """The group's place in [0, 1), the same in every process and on every machine."""
    return hash_of(f"{seed}\n{normal(group)}") / 2**64


def hash_of(text: str) -> int:
    """64 bits, the same in every process and on every machine (Python's own hash is not)."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def normal(text: str) -> str:
    """Text without the differences that a reader would not see: case, white space, composed characters."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
