"""Personal data and secrets in structured forms, replaced by typed placeholders.

Names, street addresses and whatever else only the meaning of a sentence gives away are not masked.

| placeholder | what | rule |
| --- | --- | --- |
| ``[EMAIL]`` | e-mail addresses | RFC 5322's common part, a domain that can exist |
| ``[IP]`` | IP addresses, version 4 and 6 | public ones: not private, loopback or for documentation (RFC 6890) |
| ``[CARD]`` | payment cards | prefix of an issuer and check digit (ISO/IEC 7812-1) |
| ``[IBAN]`` | bank accounts | length and form of the country, check digits (ISO 13616, ISO 7064 mod 97-10) |
| ``[PHONE]`` | telephone numbers | phones.py |
| ``[NATIONAL_ID]`` | identity numbers of nine countries | national_ids.py |
| ``[API_KEY]`` | keys and tokens | secrets.py: documented shapes, or random characters given to such a name |
| ``[PRIVATE_KEY]`` | private keys in PEM or PGP armour | secrets.py |
| ``[PASSWORD]`` | passwords given to such a name; user and password in an address | secrets.py |
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator

from stdnum import ean, iban, luhn

from pipeline.corpus.kinds import BEGIN, END, Family, Find, Kind, ascii_pattern
from pipeline.corpus.national_ids import LETTERED_IDS, NATIONAL_IDS
from pipeline.corpus.phones import PHONES
from pipeline.corpus.secrets import ARMOURED, ASSIGNED, TOKENS

_FOLDED = dict(
    zip("０１２３４５６７８９＠＋－（）．：\u00a0\u202f\u2010\u2011", "0123456789@+-().:  --", strict=True)
)
"""Full-width and non-breaking characters to the ASCII that they stand for."""

_GENERIC_DOMAINS = re.compile(
    "academy|agency|app|art|bank|biz|blog|cafe|care|center|club|cloud|com|community|company|coop|design|dev|digital"
    "|edu|education|email|energy|events|example|expert|foundation|fun|gmbh|gov|group|guide|health|help|home|info"
    "|institute|int|jobs|law|legal|life|live|local|ltd|management|media|mil|mobi|museum|name|net|network|news|ngo"
    "|one|online|ong|org|page|partners|photo|photography|press|pro|school|science|services|shop|site|social|software"
    "|solutions|space|store|studio|support|systems|team|tech|technology|test|tools|top|travel|university|ventures"
    "|website|wiki|work|works|world|xyz|zone|xn--.+|[a-z]{2}"
)
"""Top-level domains that addresses are seen under; all of two letters are countries'."""

_FILES = frozenset(("py", "js", "ts", "sh", "md", "so"))
"""Countries' domains that more often end the name of a file."""

_ISSUERS = ascii_pattern(
    r"4(?:\d{12}|\d{15}|\d{18})$|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}$|3[47]\d{13}$"
    r"|3(?:0[0-5]|09|[689]\d)\d{11}$|(?:6011|64[4-9]\d|65\d\d)\d{12}$|62\d{14,17}$|35\d{14}$"
    r"|(?:2131|1800)\d{11}$|(?:50\d\d|5[6-8]\d\d|6304|6390|67\d\d)\d{8,15}$|220[0-4]\d{12}$"
)
"""Visa, Mastercard, American Express, Diners Club, Discover, UnionPay, JCB (twice), Maestro, Mir."""

_VERSION = re.compile(
    r"(?:version|release|firmware|build|driver|section|chapter|clause|§|\bver|\bv|\brev|\bsec)[\w\"']{0,3}"
    r"[.:=\s\"']{0,12}\Z",
    re.IGNORECASE,
)


def is_mailbox(text: str) -> bool:
    """An address whose domain can exist and that is neither a file (``icon@2x.png``) nor Git's own user."""
    user, _, domain = text.rpartition("@")
    top = domain.rpartition(".")[2].lower()
    return bool(_GENERIC_DOMAINS.fullmatch(top)) and top not in _FILES and user != "git"


def is_public_address(text: str) -> bool:
    """An IP address that can belong to somebody: not loopback, private, multicast or for documentation.

    Single digits that differ (``1.2.3.4``) number a section or a version.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 4:
        is_section = len(text) == 7 and len(set(text)) > 2
        return address.is_global and not address.is_multicast and not is_section
    long = any(len(group) > 2 for group in text.split(":"))  # eight pairs are a hardware address
    return address.is_global and not address.is_multicast and long and ("::" not in text or text[0] in "23")


def is_card(text: str) -> bool:
    """Luhn's check digit and an issuer's prefix and length (ISO/IEC 7812-1); not a bar code (ISO/IEC 15420)."""
    digits = re.sub(r"\D", "", text)
    if not _ISSUERS.match(digits) or not luhn.is_valid(digits):
        return False
    return not (len(digits) == 13 and text.isdigit() and ean.is_valid(digits)) and len(set(digits)) > 1


def is_iban(text: str) -> bool:
    """Country, its length and form (ISO 13616), and the check digits."""
    return iban.is_valid(text, check_country=False)


CARD = Kind("card", ascii_pattern(rf"{BEGIN}[1-6]\d{{3}}(?:[ -]?\d){{8,15}}{END}"), is_card, shortens=True)
EMAIL = Kind(
    "email",
    re.compile(
        r"(?<![A-Za-z0-9À-ɏ_.%+-])[A-Za-z0-9À-ɏ_%+-]{1,64}(?:\.[A-Za-z0-9À-ɏ_%+-]{1,64}){0,8}"
        r"@(?:[A-Za-z0-9À-ɏ-]{1,63}\.){1,8}[A-Za-z][A-Za-z0-9-]{1,20}(?![A-Za-z0-9_(@-]|\.[A-Za-z0-9])"
    ),
    is_mailbox,
    unless=re.compile(r"://[^\s/@]{0,64}\Z"),  # a password is before the @
)
IBAN = Kind(
    "iban",
    ascii_pattern(
        r"(?<!\w)[A-Z]{2}\d\d"
        r"(?:[A-Z0-9]{11,30}|(?P<s>[ -])[A-Z0-9]{4}(?:(?P=s)[A-Z0-9]{4}){1,6}(?:(?P=s)[A-Z0-9]{1,3})?)(?!\w)"
    ),
    is_iban,
    shortens=True,
)
IP4 = Kind(
    "ip",
    ascii_pattern(r"(?<![\w.])(?<![A-Za-z]-)(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w|-[A-Za-z])"),
    is_public_address,
    unless=_VERSION,
)
IP6 = Kind(
    "ip",
    ascii_pattern(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:]|\.\d)"),
    is_public_address,
)

_SHAPE = bytes.maketrans(b"123456789BCDEFGHIJKLMNOPQRSTUVWXYZ", b"0" * 9 + b"A" * 25)
"""To an outline in which every digit is a 0 and every capital an A."""

_WORDS = bytes(ord("w") if chr(byte).isalnum() or byte in b"_-" else ord(" ") for byte in range(128)).ljust(
    256
)
"""To an outline in which every word character and hyphen is a w."""

_DIGITS = rb"0(?<!00)(?<!0\.0)(?!0?\.0{5,})(?:[ ().\-/]{0,3}0){6,}"
"""Seven digits or more with few separators; neither the middle of a number nor a decimal fraction."""

_GIVEN = rb"[=>]?[ \t]{0,3}[\"'`]?(?:Aearer )?[^\s\"'`<>(){}\[\];0]{0,200}0"
"""After an equals sign or colon: a value with a digit; the word is ``Bearer`` in the outline."""

_IN_SHAPE = (
    Family(re.compile(b"@"), (EMAIL,), before=200, after=300),
    Family(re.compile(rb"\.0{1,3}\.0{1,3}\.0"), (IP4,), before=5, after=6),
    Family(re.compile(b":[0Aa-f]{0,4}:"), (IP6,), before=40, after=45),
    Family(re.compile(b"00(?:(?<=AA00)|(?<=AA 00))"), (IBAN, *LETTERED_IDS), before=10, after=45),
    Family(re.compile(_DIGITS), (*NATIONAL_IDS, CARD, *PHONES), before=14, after=20),
    *(Family(re.compile(sign + _GIVEN), ASSIGNED, before=1, after=201) for sign in (b"=", b":")),
)
_IN_WORDS = (Family(re.compile(b"w" * 20 + b"+"), (*TOKENS, ASSIGNED[0]), before=30, after=120),)


def find(text: str) -> list[Find]:
    """Every find in the order of the text; of two that overlap, the one that begins first."""
    plain = text if text.isascii() else _folded(text)
    found = [place for kind in ARMOURED for place in kind.finds(plain)]
    outline = plain.encode("latin-1", "replace")  # a byte for every character
    for table, families in ((_WORDS, _IN_WORDS), (_SHAPE, _IN_SHAPE)):
        outlined = outline.translate(table)
        found += [place for family in families for place in family.finds(plain, outlined)]
    kept: list[Find] = []
    for place in sorted(found, key=lambda place: place.start):  # stable: the more certain kind comes first
        if not kept or place.start >= kept[-1].end:
            kept.append(place)
    return kept


def mask(text: str, counts: Counter[str]) -> str:
    """The text with every find replaced by its placeholder, such as ``[EMAIL]``; finds are counted by kind.

    What a find hid from its neighbour is found in the next round, so that masking twice changes nothing.
    """
    while found := find(text):
        counts.update(place.kind for place in found)
        text = "".join(_pieces(text, found))
    return text


def _folded(text: str) -> str:
    for character, plain in _FOLDED.items():
        text = text.replace(character, plain)
    return text


def _pieces(text: str, found: list[Find]) -> Iterator[str]:
    end = 0
    for place in found:
        yield text[end : place.start]
        yield f"[{place.kind.upper()}]"
        end = place.end
    yield text[end:]
