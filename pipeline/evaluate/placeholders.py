"""Placeholders of messages: hidden behind numbered markers while a model translates, put back, checked, repaired."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_WIDTH = r"(?:[#0+\-]*(?:\d+|\*)|[#+])?(?:\.(?:\d+|\*))?(?:hh?|ll?|[jztqL])?"
_KIND = r"(?:[ds]|[iouxXeEfFgGcr](?![a-zA-Z]))"
_PLACEHOLDER = re.compile(
    r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]"  # addresses
    r"|%%"
    r"|%\(\w+\)[#0\- +]*[\d.]*[a-zA-Z]"  # %(name)s
    rf"|%(?:\d+\$)?{_WIDTH}{_KIND}"  # %s, %1$s, %.2f, %ld
    r"|%\d+"  # %1
    r"|\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\s*,(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"  # ICU
    r"|\$?\{\{[^{}\n]{0,80}\}\}|\$?\{[^{}\n]{0,80}\}"  # {{ name }}, {name}, ${name}, {% tag %}
    r"|\$[A-Za-z_]\w*"  # $name
    r"|</?[A-Za-z][^<>]*>"  # markup
    r"|&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]\w*);"  # entities
)
_MARKER = re.compile(r"\{(\d+)\}")
_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)[^<>]*>")
_ALONE = {"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
"""Elements of HTML without an end."""
_BY_ORDER = (re.compile(rf"%{_WIDTH}{_KIND}"), re.compile(r"\{(?:[:!][^{}]*)?\}"))
"""Placeholders that stand for what comes next: printf's, and those of Python's format."""
_SPECIAL = re.compile(f"{_PLACEHOLDER.pattern}|[%{{}}<>]")


def placeholders(text: str) -> list[str]:
    """Placeholders of a text, in order."""
    return [match.group() for match in _PLACEHOLDER.finditer(text)]


def hide(text: str, known: Sequence[str]) -> str:
    """The text with every placeholder as ``{1}``, ``{2}``, …, its place among the ``known`` ones; others stay.

    A text's own braces with a number are placeholders too, so a marker cannot be mistaken.
    """

    def marker(match: re.Match[str]) -> str:
        return f"{{{known.index(match.group()) + 1}}}" if match.group() in known else match.group()

    return _PLACEHOLDER.sub(marker, text)


def put_back(text: str, known: Sequence[str]) -> str:
    """The text with markers turned into placeholders again; markers of none are dropped."""

    def placeholder(match: re.Match[str]) -> str:
        number = int(match.group(1))
        return known[number - 1] if 1 <= number <= len(known) else ""

    return _MARKER.sub(placeholder, text)


def restored(text: str, source: str) -> str:
    """What a model wrote for a source with hidden placeholders, with exactly the placeholders of the source.

    It holds whatever the model wrote. Placeholders without a name or number come in the order of the source, as
    they stand for arguments in their order; tags are nested where the source's are; where the source has no
    ``%``, brace or angle bracket by itself, which formats would stumble over, the text has none either.
    """
    known = placeholders(source)
    written = _without_lone(put_back(text, known), source)
    tags_kept = sorted(_tags(written)) == sorted(_tags(source)) and nests(written)
    whole = mended(written, known)
    for kind in _BY_ORDER:
        whole = _in_order(whole, [p for p in known if kind.fullmatch(p)], kind)
    if nests(source) and not tags_kept:
        whole = _tagged_as(source, whole)
    return whole if are_kept(source, whole) else _plainly(whole, known)


def mended(text: str, known: Sequence[str]) -> str:
    """The text with exactly the known placeholders: surplus ones go, missing ones are added at the end."""
    kept = _without_surplus(text, known)
    while Counter(placeholders(kept)) - Counter(known):  # what stood on both sides of one may make another
        kept = _without_surplus(kept, known)
    left = Counter(known) - Counter(placeholders(kept))
    missing = []
    for placeholder in known:
        if left[placeholder]:
            missing.append(placeholder)
            left[placeholder] -= 1
    whole = " ".join([kept, *missing]) if missing else kept
    return whole if Counter(placeholders(whole)) == Counter(known) else _plainly(kept, known)


def are_kept(source: str, translation: str) -> bool:
    """Whether a translation has the placeholders of its source, each as often, in any order."""
    return Counter(placeholders(source)) == Counter(placeholders(translation))


def nests(text: str) -> bool:
    """Whether every tag of a text is closed within the one around it."""
    opened: list[str] = []
    for end, name in _tags(text):
        if not end:
            opened.append(name)
        elif not opened or opened.pop() != name:
            return False
    return not opened


def _tags(text: str) -> list[tuple[str, str]]:
    found = [match for p in placeholders(text) if (match := _TAG.fullmatch(p))]
    names = [(match[1], match[2].lower()) for match in found if not match.group().endswith("/>")]
    return [(end, name) for end, name in names if name not in _ALONE]


def _without_surplus(text: str, known: Sequence[str]) -> str:
    left = Counter(known)

    def keep(match: re.Match[str]) -> str:
        left[match.group()] -= 1
        return match.group() if left[match.group()] >= 0 else ""

    return _PLACEHOLDER.sub(keep, text)


def _without_lone(text: str, source: str) -> str:
    """The text without special characters by themselves, where its source has none such.

    A per cent sign is one to formats alone, which a source without any is not.
    """
    own = {match.group() for match in _SPECIAL.finditer(source)}
    own |= set() if any(p.startswith("%") for p in own) else {"%"}

    def keep(match: re.Match[str]) -> str:
        return match.group() if len(match.group()) > 1 or match.group() in own else ""

    return _SPECIAL.sub(keep, text)


def _in_order(text: str, wanted: Sequence[str], kind: re.Pattern[str]) -> str:
    """The text with its placeholders of a kind in the order of the source's."""
    following = iter(wanted)

    def change(match: re.Match[str]) -> str:
        return next(following, match.group()) if kind.fullmatch(match.group()) else match.group()

    return _PLACEHOLDER.sub(change, text)


def _tagged_as(source: str, text: str) -> str:
    """The text with the source's tags in their order, each as far along among the words as there."""
    words = re.findall(r"\S+\s*", re.sub(" {2,}", " ", _bare(text)).strip())
    total = max(1, len(_bare(source).split()))
    pieces = ["", *words]  # what is glued before the first word, then the words
    for match in _PLACEHOLDER.finditer(source):
        tag = _TAG.fullmatch(match.group())
        if tag is None:
            continue
        place = round(len(_bare(source[: match.start()]).split()) * len(words) / total)
        if tag[1]:  # an end stands at its word, before the blank
            word = pieces[place]
            blank = len(word) - len(word.rstrip())
            pieces[place] = f"{word.rstrip()}{tag.group()}{word[len(word) - blank :]}"
        else:
            pieces[place] += tag.group()
    return "".join(pieces)


def _bare(text: str) -> str:
    """The text without its tags."""
    return _PLACEHOLDER.sub(lambda match: "" if _TAG.fullmatch(match.group()) else match.group(), text)


def _plainly(text: str, known: Sequence[str]) -> str:
    """What is sure to have the known placeholders and no other: no special character but theirs, they at the end."""
    return " ".join([re.sub(r"[%{}<>&$:]", "", _PLACEHOLDER.sub("", text)).strip(), *known]).strip()
