"""Keys, tokens and passwords: by the shapes their issuers document, or by the words before them."""

from __future__ import annotations

import math
import re
from collections import Counter

from pipeline.corpus.kinds import Kind, ascii_pattern

_SHAPES = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",  # Amazon
    r"gh[opsur]_[A-Za-z0-9]{36,}",  # GitHub: personal, OAuth, server, user, refresh;
    r"github_pat_\w{40,}",  # fine-grained
    r"gl(?:pat|ptt|rt|dt)-[\w-]{20,}",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{20,}",  # Slack: tokens,
    r"hooks\.slack\.com/services/T\w+/B\w+/\w{20,}",  # addresses anybody can post to
    r"sk-[\w-]{20,}",  # OpenAI, Anthropic and others after them
    r"gsk_[A-Za-z0-9]{40,}",  # Groq
    r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"AIza[\w-]{35}",  # Google: keys,
    r"GOCSPX-[\w-]{20,}",  # OAuth clients,
    r"ya29\.[\w-]{30,}",  # sessions
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,}",  # Stripe
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[\w-]{50,}",
    r"SG\.[\w-]{16,}\.[\w-]{30,}",  # SendGrid
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",  # Shopify
    r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{20,}",  # JSON Web Token (RFC 7519): '{"' in base64url
)
"""Tokens by their issuers' documentation; each has twenty word characters or hyphens in a row."""

_SECRET_WORD = re.compile(
    r"(?:secret|token|api_?key|access_?key|account_?key|auth_?key|encryption_?key|signing_?key|credential)"
    r"[\w-]{0,16}[\"'\]]{0,2}\s{0,3}\Z",
    re.IGNORECASE,
)
_PASSWORD_WORD = re.compile(
    r"(?:password|passwd|passphrase|passwort|contraseña|mot de passe|\bpwd|_pwd|\bpass|_pass|密码|口令)"
    r"[\w-]{0,16}[\"'\]]{0,2}\s{0,3}\Z",
    re.IGNORECASE,
)
_VALUE = ascii_pattern(
    r"""[=:][>=]?[ \t]{0,3}["'`]?(?:Bearer )?(?P<item>[^\s"'`<>(){}\[\];，。]{7,200})(?![^\s"'`;,<&)}\]，。])"""
)
"""What is given to a name: with or without quotes, without the signs of an expression."""

_KEY_BODY = re.compile(r"[A-Za-z0-9+/=]{40,}")
_CAPITALS, _HUMPS = re.compile("[A-Z](?=[A-Z])"), re.compile("[a-z][A-Z]")
_EXPRESSION = re.compile(
    r"[/.~]|%[sdr(]|https?:|\$(?:[A-Z_][A-Z0-9_]*|[a-z_]+\d?)$|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$|[\d.,:+-]+$"
)
"""Code, a path or a number in the place of a value: ``/etc/key1``, ``$PASSWORD1``, ``config.password2``, ``10.5``."""

_EXAMPLES = frozenset(("user:password", "user:pass", "username:password", "user:passwd", "name:password"))


def bits_per_character(text: str) -> float:
    """Shannon's entropy of the text's characters: at most log2 of how many differ."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


def is_random(text: str) -> bool:
    """Characters as a generator mixes them: words and names repeat them, and hold few digits and capitals."""
    digits = sum(c.isdigit() for c in text)
    mixed = len(_CAPITALS.findall(text)) >= 2 and len(_HUMPS.findall(text)) >= 3
    return (digits >= 2 or mixed) and digits < len(text) and bits_per_character(text) >= 3.0


def _is_issued(text: str) -> bool:
    """A documented beginning tells enough; only names in small letters may begin like one (``sk-``)."""
    return text[:4] in ("AKIA", "ASIA") or text != text.lower() or is_random(text)


def _is_token(text: str) -> bool:
    """Long and random, and no path."""
    return len(text) >= 16 and is_random(text) and not ("/" in text and text == text.lower())


def _is_password(text: str) -> bool:
    kinds = (any(map(test, text)) for test in (str.isdigit, str.isalpha, lambda c: not c.isalnum()))
    return any(map(str.isdigit, text)) and sum(kinds) >= 2 and not _EXPRESSION.match(text)


def _is_credentials(text: str) -> bool:
    """User and password of an address, where they are not the example of a manual."""
    return text.lower() not in _EXAMPLES


ARMOURED = (
    Kind(
        "private_key",
        ascii_pattern(
            r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?:[^-]|-(?!----)){1,20000}-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"|(?:\s{1,4}[A-Za-z0-9+/=]{16,}){1,})"
        ),
        lambda block: _KEY_BODY.search(block) is not None,
        hint="PRIVATE KEY",
    ),
    Kind(
        "password",
        ascii_pattern(r"://(?P<item>[^\s/@:\"'<>{}$\[\]]{1,64}:[^\s/@\"'<>{}$]{1,128})@(?=\w)"),
        _is_credentials,
        hint="://",
    ),
)
"""Searched for in the whole text. Private keys: RFC 7468 and RFC 4880; addresses: RFC 3986."""

TOKENS = (
    Kind("api_key", ascii_pattern(rf"(?<![A-Za-z0-9])(?:{'|'.join(_SHAPES)})(?![A-Za-z0-9])"), _is_issued),
)
"""Found around twenty word characters or hyphens in a row."""

ASSIGNED = (
    Kind("api_key", _VALUE, _is_token, cue=_SECRET_WORD),
    Kind("password", _VALUE, _is_password, cue=_PASSWORD_WORD),
)
"""Found around an equals sign or colon and a value with a digit."""
