"""What only looks like personal data or a secret: the hard negatives of personal_data_samples.py."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable

from faker import Faker

Draw = Callable[[Faker, random.Random], str]


def _digits(rng: random.Random, number: int) -> str:
    return "".join(rng.choices(string.digits, k=number))


def _pairs(rng: random.Random) -> str:
    return " ".join(_digits(rng, 2) for _ in range(3))


def _wrong(number: str) -> str:
    """The number with its last digit one higher, which every check digit notices."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def _with_date(form: str) -> Draw:
    return lambda f, r: f"on {f.date(form)} at {f.time()}"


LOOK_ALIKES: dict[str, Draw] = {
    "version": lambda f, r: (
        f"version {r.randint(1, 9)}.{r.randint(0, 30)}.{r.randint(0, 300)}.{r.randint(0, 20)}"
    ),
    "release": lambda f, r: f"v{r.randint(1, 9)}.{r.randint(0, 30)}.{r.randint(0, 99)}-rc1",
    "section": lambda f, r: f"see {'.'.join(str(n) for n in r.sample(range(1, 9), 4))} above",
    "date, ISO": _with_date("%Y-%m-%d"),
    "date, German": _with_date("%d.%m.%Y"),
    "date, English": _with_date("%d/%m/%Y"),
    "years": lambda f, r: (
        f"{r.randint(1900, 1950)}-{r.randint(1951, 2020)}, {r.randint(1900, 2020)} and later"
    ),
    "ISBN-13": lambda f, r: f"ISBN {f.isbn13()}",
    "ISBN-10": lambda f, r: f"ISBN {f.isbn10(separator=r.choice(('-', '')))}",
    "ISBN, unnamed": lambda f, r: f"({f.isbn13(separator='')})",
    "bar code": lambda f, r: f.ean13(),
    "private IPv4": lambda f, r: f.ipv4_private(),
    "documentation": lambda f, r: r.choice(
        ("192.0.2.7", "198.51.100.1", "203.0.113.9", "2001:db8::7", "::1", "fe80::1")
    ),
    "hash": lambda f, r: r.choice((f.sha1(), f.sha256(), f.md5())),
    "commit": lambda f, r: f"commit {f.sha1()[:8]}",
    "UUID": lambda f, r: f.uuid4(),
    "hardware address": lambda f, r: f.mac_address(),
    "scientific": lambda f, r: f"{r.uniform(1, 10):.12f}e-{r.randint(10, 30)}",
    "decimal": lambda f, r: f"{r.uniform(0, 1):.16f}",
    "thousands": lambda f, r: f"{r.randint(10**6, 10**10):,} people",
    "thousands, spaced": lambda f, r: f"{r.randint(10**6, 10**9):,} people".replace(",", " "),
    "money": lambda f, r: f"${r.randint(10**6, 10**10)}.{_digits(r, 2)}",
    "plain number": lambda f, r: f"number {r.randint(10**7, 10**9)}",
    "long number": lambda f, r: f"n = {r.randint(10**19, 10**24)}",
    "seconds": lambda f, r: f"at {r.randint(10**9, 2 * 10**9)}, then {r.randint(10**12, 2 * 10**12)}",
    "ZIP+4": lambda f, r: f"{f.zipcode_plus4()}",
    "pages": lambda f, r: (
        f"Phys. Rev. {r.randint(10, 99)} {(n := r.randint(1000, 8000))}-{n + r.randint(3, 40)} (1999)"
    ),
    "card with a wrong digit": lambda f, r: _wrong(f.credit_card_number("visa16")),
    "IBAN with a wrong digit": lambda f, r: _wrong(f.iban()),
    "SSN never issued": lambda f, r: (
        f"{r.choice(('000', '666', '9' + _digits(r, 2)))}-{_digits(r, 2)}-{_digits(r, 4)}"
    ),
    "NINO never issued": lambda f, r: f"{r.choice(('ZZ', 'GB', 'QQ', 'DA'))} {_pairs(r)} A",
    "resident id with a wrong digit": lambda f, r: "110101199003070011"[:17] + r.choice("023456789X"),
    "DOI": lambda f, r: f.doi(),
    "arXiv": lambda f, r: f"arXiv:{_digits(r, 4)}.{_digits(r, 5)}",
    "time": lambda f, r: f"{f.time()}.{_digits(r, 6)}",
    "hexadecimal": lambda f, r: " ".join(f"{r.randrange(256):02x}" for _ in range(16)),
    "decorator": lambda f, r: f"x = a@b.{f.word()}(1)\n@{f.word()}.{f.word()}\ndef f(): ...",
    "retina image": lambda f, r: f"{f.word()}@2x.png and lodash@4.17.{r.randint(1, 30)}",
    "password asked for": lambda f, r: r.choice(
        (
            "password: required",
            "password = getpass()",
            'password=os.environ["DB_PASSWORD_2"]',
            "password: str | None",
        )
    ),
    "token named": lambda f, r: r.choice(
        (
            "token = tokens[12]",
            "secret: see page 1234567",
            "api_key=settings.API_KEY_2",
            "token: int = 151643",
        )
    ),
    "example address": lambda f, r: "https://user:password@example.com:8080/path",
    "public key": lambda f, r: (
        f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(r.randbytes(90)).decode()}\n-----END PUBLIC KEY-----"
    ),
    "long name": lambda f, r: f"test_{f.word()}_{f.word()}_{f.word()}_with_{r.randint(100, 999)}_{f.word()}",
    "risk- and disk-": lambda f, r: f"risk-{f.word()}-{f.word()}-{f.word()}-{f.word()}-{r.randint(10, 99)}",
}
"""What only looks like personal data or a secret, and is planted without a label."""
