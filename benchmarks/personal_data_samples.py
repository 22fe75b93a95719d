"""Sentences with planted personal data and secrets at known places, and sentences that only look like it.

Faker makes the items and the prose around them in ten locales; keys, passwords and those national identity
numbers that Faker does not make by their rule are made here. The seeds used in developing the rules were 1 to 99.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass

from faker import Faker
from stdnum.de import idnr
from stdnum.in_ import aadhaar
from stdnum.iso7064 import mod_11_10

from benchmarks.personal_data_lookalikes import LOOK_ALIKES, Draw
from pipeline.corpus.kinds import Find

_ALPHANUMERIC = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Sample:
    """A text and what is planted in it; ``variety`` says which form or which look-alike it is."""

    text: str
    planted: tuple[Find, ...]
    variety: str


@dataclass(frozen=True)
class Variety:
    """A form of a kind: how it is drawn, in which language, and sentences that hold it (``{}``)."""

    name: str
    kind: str
    locale: str
    draw: Draw
    frames: Sequence[str] = (
        "It was given as {}, I think.",
        "({})",
        "Please use {} from now on",
        "{}",
        "both {} and more",
    )


def samples(seed: int, each: int) -> list[Sample]:
    """``each`` texts of every variety and of every look-alike; the same ones for the same seed."""
    rng = random.Random(seed)
    fakers = {v.locale: Faker(v.locale) for v in VARIETIES}
    for faker in fakers.values():
        faker.seed_instance(rng.getrandbits(64))
    planted = [_plant(v, fakers[v.locale], rng) for v in VARIETIES for _ in range(each)]
    english = fakers["en_US"]
    alike = [
        Sample(_around(english, rng, draw(english, rng)), (), name)
        for name, draw in LOOK_ALIKES.items()
        for _ in range(each)
    ]
    return planted + alike


def _plant(variety: Variety, faker: Faker, rng: random.Random) -> Sample:
    item = variety.draw(faker, rng)
    before, after = rng.choice(variety.frames).split("{}")
    text = _around(faker, rng, f"{before}\0{item}\0{after}")
    start, end = text.index("\0"), text.rindex("\0") - 1
    return Sample(text.replace("\0", ""), (Find(start, end, variety.kind),), variety.name)


def _around(faker: Faker, rng: random.Random, middle: str) -> str:
    """Prose before and after; Chinese has no spaces there."""
    gap = "" if "zh_CN" in faker.locales else rng.choice((" ", "\n"))
    return f"{faker.sentence()}{gap}{middle}{gap}{faker.sentence()}"


def _some(rng: random.Random, characters: str, number: int) -> str:
    return "".join(rng.choices(characters, k=number))


def _digits(rng: random.Random, number: int) -> str:
    return _some(rng, string.digits, number)


def _base64(rng: random.Random, number: int) -> str:
    return base64.b64encode(rng.randbytes(number)).decode()


def _grouped(text: str, *sizes: int, gap: str = " ") -> str:
    parts, rest = [], text
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    return gap.join([*parts, rest] if rest else parts)


def _phone(faker: Faker, rng: random.Random) -> str:
    """As Faker writes them, if with a plus or separators; forms that are bare digits are drawn by `_bare`."""
    while (number := faker.phone_number()).removeprefix("0").isdigit() or len(number.split("x")[0]) < 8:
        pass
    return number


def _bare(faker: Faker, rng: random.Random) -> str:
    return "".join(c for c in faker.phone_number().split("x")[0] if c.isdigit() or c == "+")


def _chinese_landline(faker: Faker, rng: random.Random) -> str:
    return f"{rng.choice(('010', '021', '0755', '0571'))}-{rng.randint(2, 8)}{_digits(rng, 7)}"


def _indian_mobile(faker: Faker, rng: random.Random) -> str:
    return f"+91 {rng.randint(6, 9)}{_digits(rng, 4)} {_digits(rng, 5)}"


def _french_phone(faker: Faker, rng: random.Random) -> str:
    pairs = [f"0{rng.randint(1, 9)}", *(_digits(rng, 2) for _ in range(4))]
    return rng.choice(" .-").join(pairs)


def _ipv6(faker: Faker, rng: random.Random) -> str:
    """An address in use: of the eighth of all that are given out, whole or with its zeros left out."""
    groups = [
        f"{rng.choice(('2003', '2400', '2606', '2a00'))}",
        *(f"{rng.randrange(256, 65536):x}" for _ in range(7)),
    ]
    return ":".join(groups) if rng.random() < 0.5 else f"{':'.join(groups[:4])}::{groups[7]}"


def _card(faker: Faker, rng: random.Random) -> str:
    while (number := faker.credit_card_number())[0] == "0":  # airlines' digit, which no bank has
        pass
    sizes = (4, 6) if len(number) in (14, 15) else (4, 4, 4)
    return _grouped(number, *sizes, gap=rng.choice(" -")) if rng.random() < 0.5 else number


def _iban(faker: Faker, rng: random.Random) -> str:
    number = faker.iban()
    return _grouped(number, *[4] * ((len(number) - 1) // 4)) if rng.random() < 0.5 else number


def _nino(faker: Faker, rng: random.Random) -> str:
    while (first := _some(rng, "ABCEGHJKLMNOPRSTWXYZ", 2))[1] == "O" or first in "BG GB KN NK NT TN ZZ":
        pass
    number = first + _digits(rng, 6) + rng.choice("ABCD")
    return _grouped(number, 2, 2, 2, 2) if rng.random() < 0.5 else number


def _nir(faker: Faker, rng: random.Random) -> str:
    number = faker.ssn()
    return _grouped(number, 1, 2, 2, 2, 3, 3) if rng.random() < 0.5 else number


def _steuer_id(faker: Faker, rng: random.Random) -> str:
    while True:
        ten = rng.sample(string.digits, 9)
        ten.insert(rng.randrange(10), rng.choice(ten))
        number = "".join(ten) + mod_11_10.calc_check_digit("".join(ten))
        if idnr.is_valid(number):
            return _grouped(number, 2, 3, 3) if rng.random() < 0.5 else number


def _aadhaar(faker: Faker, rng: random.Random) -> str:
    while not aadhaar.is_valid(number := faker.aadhaar_id()):
        pass
    return _grouped(number, 4, 4)


def _token(faker: Faker, rng: random.Random) -> str:
    """A token in the form of one of fourteen issuers."""
    mixed = lambda number: _some(rng, _ALPHANUMERIC, number)  # noqa: E731
    return rng.choice(
        (
            lambda: "AKIA" + _some(rng, string.ascii_uppercase + "234567", 16),
            lambda: "ghp_" + mixed(36),
            lambda: f"github_pat_{mixed(22)}_{mixed(59)}",
            lambda: "glpat-" + mixed(20),
            lambda: f"xoxb-{_digits(rng, 12)}-{_digits(rng, 12)}-{mixed(24)}",
            lambda: f"sk-proj-{mixed(48)}",
            lambda: f"sk-ant-api03-{_some(rng, _ALPHANUMERIC + '-_', 92)}A",
            lambda: "hf_" + mixed(34),
            lambda: "AIza" + mixed(35),
            lambda: "sk_live_" + mixed(24),
            lambda: "npm_" + mixed(36),
            lambda: "pypi-AgEIcHlwaS5vcmc" + mixed(120),
            lambda: f"SG.{mixed(22)}.{mixed(43)}",
            lambda: _jwt(rng),
        )
    )()


def _jwt(rng: random.Random) -> str:
    header, payload = (
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        for text in ('{"alg":"HS256","typ":"JWT"}', f'{{"sub":"{_digits(rng, 10)}","admin":true}}')
    )
    return f"{header}.{payload}.{_some(rng, _ALPHANUMERIC + '-_', 42)}x"


def _pem(faker: Faker, rng: random.Random) -> str:
    name = rng.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"))
    body = _base64(rng, 300)
    lines = "\n".join(body[n : n + 64] for n in range(0, len(body), 64))
    return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----"


def _password(faker: Faker, rng: random.Random) -> str:
    return faker.password(length=rng.randint(8, 16), special_chars=rng.random() < 0.5).translate(
        str.maketrans("()&", "_-!")
    )


def _credentials(faker: Faker, rng: random.Random) -> str:
    return f"{faker.user_name()}:{faker.password(length=12, special_chars=False)}"


_CARD_FRAMES = ("paid with {}.", "Card number: {}", "the card {} was declined", "Visa {}, expires 12/29")
_KEY_FRAMES = ("export KEY={}", "token: {}", "I found {} in the log.", 'headers = {{"X-Key": "{}"}}', "`{}`")
_CALL_FRAMES = ("Tel. {}", "call me at {}", "Phone: {}", "My mobile is {}.")
_CHINESE = ("我的号码是{}，谢谢。", "请联系{}。", "（{}）", "号码：{}")
_ASSIGN = ('password = "{}"', "DB_PASSWORD={}\n", '"password": "{}",', "passwd: {}\n", "密码：{}\n")
_ASSIGN_KEY = (
    'api_key = "{}"',
    "CLIENT_SECRET={}\n",
    '"access_token": "{}",',
    "aws_secret_access_key = {}\n",
)

VARIETIES = (
    *(
        Variety(f"e-mail {locale}", "email", locale, lambda f, r: f.email(safe=r.random() < 0.5))
        for locale in ("en_US", "de_DE", "fr_FR", "pt_BR")
    ),
    Variety("e-mail zh_CN", "email", "zh_CN", lambda f, r: f.free_email(), ("邮箱{}。", "请写信到{}谢谢")),
    Variety("IPv4", "ip", "en_US", lambda f, r: f.ipv4_public()),
    Variety("IPv6", "ip", "en_US", _ipv6),
    Variety("card", "card", "en_US", _card, _CARD_FRAMES),
    Variety("card zh_CN", "card", "zh_CN", _card, ("卡号{}，", "银行卡：{}。")),
    *(
        Variety(f"IBAN {locale}", "iban", locale, _iban)
        for locale in ("de_DE", "fr_FR", "en_GB", "es_ES", "it_IT", "pl_PL")
    ),
    *(
        Variety(f"phone {locale}", "phone", locale, _phone)
        for locale in ("en_US", "en_GB", "de_DE", "es_ES", "it_IT", "pt_BR", "nl_NL", "fr_FR")
    ),
    Variety("phone zh_CN", "phone", "zh_CN", lambda f, r: f.phone_number(), _CHINESE),
    Variety("landline zh_CN", "phone", "zh_CN", _chinese_landline, _CHINESE),
    Variety("phone en_IN", "phone", "en_IN", _indian_mobile),
    Variety("phone fr_FR, in pairs", "phone", "fr_FR", _french_phone),
    *(
        Variety(f"phone {locale}, announced", "phone", locale, _bare, _CALL_FRAMES)
        for locale in ("en_US", "en_IN", "en_GB")
    ),
    Variety("US SSN", "national_id", "en_US", lambda f, r: f.ssn()),
    Variety("UK NINO", "national_id", "en_GB", _nino),
    Variety("French NIR", "national_id", "fr_FR", _nir),
    Variety("Spanish DNI", "national_id", "es_ES", lambda f, r: f.nif()),
    Variety("Spanish NIE", "national_id", "es_ES", lambda f, r: f.nie()),
    Variety("German tax id", "national_id", "de_DE", _steuer_id),
    Variety("Italian tax code", "national_id", "it_IT", lambda f, r: f.ssn()),
    Variety(
        "Chinese resident id",
        "national_id",
        "zh_CN",
        lambda f, r: f.ssn(),
        ("身份证号{}。", "（{}）", "她是{}吗"),
    ),
    Variety("Indian Aadhaar", "national_id", "en_IN", _aadhaar),
    Variety("Brazilian CPF", "national_id", "pt_BR", lambda f, r: f.cpf()),
    Variety("Brazilian CPF, bare", "national_id", "pt_BR", lambda f, r: f.ssn(), ("CPF {}", "CPF nº {}.")),
    *(Variety(f"token {n}", "api_key", "en_US", _token, _KEY_FRAMES) for n in (1, 2, 3)),
    Variety("AWS secret", "api_key", "en_US", lambda f, r: _base64(r, 30), ("aws_secret_access_key = {}\n",)),
    Variety("key given", "api_key", "en_US", lambda f, r: _some(r, _ALPHANUMERIC, 32), _ASSIGN_KEY),
    Variety("private key", "private_key", "en_US", _pem, ("{}", "key:\n{}\n")),
    Variety("password", "password", "en_US", _password, _ASSIGN),
    Variety(
        "in an address",
        "password",
        "en_US",
        _credentials,
        ("https://{}@example.com/x", "postgres://{}@db:5432/a"),
    ),
)
