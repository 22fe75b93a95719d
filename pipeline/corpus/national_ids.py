"""National identity numbers whose rule tells them from other numbers; python-stdnum knows the rules.

A form without separators and with a weak rule is taken for one only after its name, such as ``CPF``.
"""

from __future__ import annotations

import re
from datetime import date

from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.us import ssn

from pipeline.corpus.kinds import BEGIN, END, Kind, ascii_pattern

_NAME = "national_id"
_BETWEEN = r"[^\d\n]{0,16}\Z"


def _after(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])(?:{words})(?![^\W\d_]){_BETWEEN}", re.IGNORECASE)


def is_resident_number(text: str) -> bool:
    """A number of GB 11643-1999: region, date of birth, sequence, check character of ISO 7064 mod 11-2."""
    text = text.upper()
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return 1900 <= born.year <= date.today().year and ric.calc_check_digit(text) == text[-1]


def _is_nir(text: str) -> bool:
    """The key of INSEE's number, and a month: 20 and more stand for unknown ones."""
    digits = nir.compact(text)
    return nir.is_valid(text) and (1 <= int(digits[3:5]) <= 12 or 20 <= int(digits[3:5]) <= 42)


NATIONAL_IDS = (
    Kind(_NAME, ascii_pattern(rf"{BEGIN}[1-8]\d{{16}}[\dXx]{END}"), is_resident_number),  # China
    Kind(_NAME, ascii_pattern(rf"{BEGIN}\d{{3}}-\d\d-\d{{4}}{END}"), ssn.is_valid),  # United States
    Kind(
        _NAME,
        ascii_pattern(rf"{BEGIN}\d{{3}} ?\d\d ?\d{{4}}{END}"),
        lambda text: ssn.is_valid(text.replace(" ", "")),
        cue=_after("SSN|social security"),
    ),
    Kind(
        _NAME,  # France
        ascii_pattern(rf"{BEGIN}[12][ .]?\d\d[ .]?\d\d[ .]?\d[\dAB][ .]?\d{{3}}[ .]?\d{{3}}[ .]?\d\d{END}"),
        _is_nir,
    ),
    Kind(_NAME, ascii_pattern(rf"{BEGIN}\d{{8}}[ -]?[A-HJ-NP-TV-Z]{END}"), dni.is_valid),  # Spain: citizens,
    Kind(_NAME, ascii_pattern(rf"{BEGIN}[XYZ][ -]?\d{{7}}[ -]?[A-HJ-NP-TV-Z]{END}"), nie.is_valid),  # others
    Kind(
        _NAME, ascii_pattern(rf"{BEGIN}[1-9]\d[ ]?\d{{3}}[ ]?\d{{3}}[ ]?\d{{3}}{END}"), idnr.is_valid
    ),  # Germany
    Kind(_NAME, ascii_pattern(rf"{BEGIN}\d{{3}}\.\d{{3}}\.\d{{3}}-\d\d{END}"), cpf.is_valid),  # Brazil
    Kind(_NAME, ascii_pattern(rf"{BEGIN}\d{{11}}{END}"), cpf.is_valid, cue=_after("CPF")),
    Kind(
        _NAME,
        ascii_pattern(rf"{BEGIN}(?<!\d )[2-9]\d{{3}}([ -])\d{{4}}\1\d{{4}}{END}(?![ -]\d)"),
        aadhaar.is_valid,
    ),
    Kind(
        _NAME,
        ascii_pattern(rf"{BEGIN}[2-9]\d{{11}}{END}"),
        aadhaar.is_valid,
        cue=_after("aadhaar|aadhar|UID|आधार"),
    ),
)
"""Found around digits: 18, 9, 15, 8 or 7 with a letter, 11, 11 and 12 of them."""

LETTERED_IDS = (
    Kind(
        _NAME,  # Italy: decree of 23 December 1976
        ascii_pattern(r"(?<!\w)[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?!\w)"),
        codicefiscale.is_valid,
    ),
    Kind(
        _NAME,  # United Kingdom: HMRC's manual NIM39110, which has no check digit
        ascii_pattern(
            r"(?<!\w)(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]( ?)\d\d\1\d\d\1\d\d\1[A-D](?!\w)"
        ),
    ),
)
"""Found around two capitals and two digits."""
