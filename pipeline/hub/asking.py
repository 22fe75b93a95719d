"""Asking the Hugging Face Hub: with patience, within time limits, and in our words where it refuses.

What huggingface_hub does by itself stays its own: it asks for files again, goes on within a file that was cut off, and
keeps what has arrived. Here is what it leaves to its callers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import huggingface_hub
from httpx2 import ConnectError, Response
from huggingface_hub.errors import (
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)
from huggingface_hub.utils import parse_ratelimit_headers

from pipeline.errors import GroundupError, first_line
from pipeline.hub.limits import set_limits
from pipeline.processes import say
from pipeline.redaction import redacted

T = TypeVar("T")

_MAY_PASS = frozenset({408, 409, 412, 429, 500, 502, 503, 504})
"""Statuses after which a request is made again: another commit came between, too many requests, out of order."""
_WAITS, _LONGEST_WAIT = (1.0, 2.0, 4.0, 8.0), 120.0
"""Seconds between tries, and the longest that the Hub may ask for."""
_UNREACHED = 2
"""Tries after the first one where there is not even a connection: without a network that is soon said."""
_KEPT = "what has arrived is kept"


class DamagedError(OSError):
    """A file that is not what the Hub says it is."""


def patiently(ask: Callable[[], T]) -> T:
    """What a request gives, made again after a wait that grows, or that the Hub names, while what fails may pass."""
    set_limits()
    for number, wait in enumerate(_WAITS):
        try:
            return ask()
        except GroundupError:  # of patience below this one
            raise
        except Exception as error:
            nobody = any(isinstance(cause, ConnectError) for cause in _causes(error))
            if not _may_pass(error) or (nobody and number >= _UNREACHED):
                raise
            seconds = _named_wait(error, wait)
            say(redacted(f"the Hub: {_symptom(error)}; it is asked again in {seconds:.0f} s"))
            time.sleep(seconds)
    return ask()


def asked(name: str, ask: Callable[[], T], right: str = "read", kept: str = _KEPT) -> T:
    """What a request gives, with patience, and in our words where the Hub is the reason that it gives nothing.

    Args:
        name: of the repository.
        ask: the request.
        right: what the token has to be allowed, ``read`` or ``write to`` it.
        kept: what of the work is not lost where the same command can go on.

    Raises:
        GroundupError: when the Hub refuses, or does not answer for long.
    """
    try:
        return patiently(ask)
    except Exception as error:
        if isinstance(error, GroundupError) or not _is_of_hub(error):
            raise
        raise _explained(error, name, right, kept) from error


def _is_of_hub(error: BaseException) -> bool:
    """Whether it was the Hub, or the way to it, that made an error."""
    return _may_pass(error) or _is_offline(error) or _answer(error) is not None


def _may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed later: the Hub is busy or out of order, or the network is."""
    answer = _answer(error)
    if answer is not None:
        return answer.status_code in _MAY_PASS
    return not _is_offline(error) and any(map(_is_passing, _causes(error)))


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, HfHubHTTPError):  # one that a library met on its way and hides
        return error.response.status_code in _MAY_PASS
    passing = (HTTPError, ConnectionError, TimeoutError, LocalEntryNotFoundError, DamagedError)
    return isinstance(error, passing) or "Consistency check failed" in str(error)


def _explained(error: BaseException, name: str, right: str = "read", kept: str = _KEPT) -> GroundupError:
    """An error of the Hub in our words; the arguments are those of ``asked``."""
    if _is_offline(error):
        remedy = "unset HF_HUB_OFFLINE and run the command again"
        cache = ", and it is neither here nor in the cache" if right == "read" else ""
        return GroundupError(name, f"the Hub is switched off{cache}", remedy)
    answer = _answer(error)
    again = f"run the same command again, {kept}"
    if answer is None:
        what = f"the Hub does not answer as it should ({_symptom(error)})"
        return GroundupError(name, what, f"check the network (and HF_ENDPOINT), then {again}")
    status = f"status {answer.status_code}"
    token = f"sign in with hf auth login, or set HF_TOKEN, with a token that may {right} {name.removeprefix('hub:')}"
    if answer.status_code == 401:
        unknown = "" if huggingface_hub.get_token() else ", and there is no token"
        return GroundupError(
            name, f"the Hub refuses the token or knows no such name ({status}{unknown})", token
        )
    if answer.status_code == 403:
        gate = "; to some, access is given on their page" if right == "read" else ""
        return GroundupError(name, f"the Hub refuses the token ({status})", token + gate)
    if answer.status_code == 404:
        remedy = f"check the name; where it is private, {token}"
        return GroundupError(name, f"the Hub has nothing of this name ({status})", remedy)
    if answer.status_code == 429:
        return GroundupError(
            name, f"the Hub is asked too often ({status})", f"wait some minutes, then {again}"
        )
    return GroundupError(name, f"the Hub answers with {status}", f"run the same command again later, {kept}")


def _causes(error: BaseException, hidden: bool = True) -> Iterator[BaseException]:
    """An error and what led to it, by default also what a library hides."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (error.__context__ if hidden else None)  # type: ignore[assignment]


def _answer(error: BaseException) -> Response | None:
    """The Hub's answer that an error comes from, if it comes from one."""
    causes = _causes(error, hidden=False)
    return next((cause.response for cause in causes if isinstance(cause, HfHubHTTPError)), None)


def _is_offline(error: BaseException) -> bool:
    """Whether the Hub was not asked at all, since that is switched off."""
    return any(
        isinstance(cause, OfflineModeIsEnabled) or "offline mode is enabled" in str(cause).lower()
        for cause in _causes(error)
    )


def _symptom(error: BaseException) -> str:
    """What went wrong, in a few words."""
    answer = _answer(error)
    if answer is not None:
        return f"status {answer.status_code}"
    deepest = list(_causes(error))[-1]
    said = first_line(deepest)[:160]
    return said if type(deepest).__name__ in said else f"{type(deepest).__name__}: {said}"


def _named_wait(error: BaseException, otherwise: float) -> float:
    """Seconds that the Hub asks to wait for."""
    answer = _answer(error)
    if answer is None:
        return otherwise
    named, limit = answer.headers.get("Retry-After", ""), parse_ratelimit_headers(answer.headers)
    if named.isdigit():
        return min(float(named), _LONGEST_WAIT)
    return min(float(limit.reset_in_seconds), _LONGEST_WAIT) if limit and not limit.remaining else otherwise
