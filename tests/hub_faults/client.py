"""A client of a misbehaving stand-in Hub, in a process of its own: prints what came of each trial as JSON.

Usage: ``python -m tests.hub_faults.client``. Trials wait at the same time, each with repositories of its own.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any

from tests.hub_server import hub_server
from tests.hub_store import TOKEN, Blob, Fault, Hub, Ill, Repository

REFUSING: tuple[Fault, ...] = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
PASSING: tuple[Fault, ...] = (
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE,
    Ill.CUT, Ill.HALF, Ill.SILENT, Ill.TRICKLE,
)  # fmt: skip
CARD = (
    b"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: rows/*.jsonl\n---\n"
)
SHARDS = [[{"text": f"row {n} of {shard} " + 60 * "x"} for n in range(30)] for shard in range(2)]
WEIGHTS = bytes(range(256)) * 40
Work = Callable[[str], Any]


def name_of(fault: Fault) -> str:
    """A fault in one word."""
    return fault.name if fault is not None else "none"


class Misbehaviour:
    """Which requests of which repository fail, how, and how often."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.faults = hub, dict[str, tuple[Fault, str, int]]()
        self.met: dict[str, list[str]] = {}
        hub.fault_of = self.fault_of

    def fault_of(self, request: str, said: str) -> Fault:
        """The fault of a request; its repository is the one of a trial."""
        trial = next((name for name in self.faults if name.partition("/")[2] in request + said), "")
        if not trial:
            return None
        fault, where, times = self.faults[trial]
        met = self.met.setdefault(trial, [])
        met.append(request.replace(trial, "NAME"))
        return fault if where in (met[-1], "") and met.count(met[-1]) <= times else None


def outcome(work: Callable[[], Any]) -> dict[str, Any]:
    """What came of it: a result, or the words of a refusal."""
    from pipeline.errors import GroundupError

    began = time.monotonic()
    try:
        told = {"result": work()}
    except GroundupError as error:
        told = {"refused": str(error)}
    return {**told, "seconds": time.monotonic() - began}


class Trials:
    """Runs one kind of work under every fault at every request."""

    def __init__(self, kind: str, work: Work, misbehaviour: Misbehaviour, put: Callable[[str], None]) -> None:
        self.kind, self.work, self.put, self.misbehaviour = kind, work, put, misbehaviour
        self.number = 0

    def one(self, fault: Fault, where: str = "", times: int = 1) -> Callable[[], dict[str, Any]]:
        """A trial that is ready to run: at one request (or at each one), the first so many times."""
        self.number += 1
        name = f"user/{self.kind}-{self.number:03}x"
        self.put(name)
        self.misbehaviour.faults[name] = (fault, where, times)
        told = {"fault": name_of(fault), "where": where, "times": times}
        return lambda: {**told, **outcome(lambda: self.work(name))}

    def all(self) -> Iterable[Callable[[], dict[str, Any]]]:
        """Every refusal at each request alone; everything that passes at all requests; both without an end."""
        plain = self.one(None)()
        assert "result" in plain, plain
        yield lambda: plain
        requests = list(dict.fromkeys(self.misbehaviour.met[f"user/{self.kind}-001x"]))
        for fault in REFUSING:
            for request in requests:
                yield self.one(fault, request)
        for fault in PASSING:
            yield self.one(fault)
        for fault in (*REFUSING, *PASSING):
            yield self.one(fault, requests[0], times=99)
        if self.kind == "model":
            yield from (
                self.one(Ill.FLIPPED, r, n) for r in requests if r.startswith("GET /NAME") for n in (1, 99)
            )
        if self.kind == "rows":  # more often than huggingface_hub asks again, in the middle of the rows
            yield self.one(HTTPStatus.SERVICE_UNAVAILABLE, requests[-1], times=8)


def data_set() -> Repository:
    """Two shards with a card that says where they are: without it there would be other rows."""
    rows = [b"".join(json.dumps(row).encode() + b"\n" for row in shard) for shard in SHARDS]
    repository = Repository(private=False)
    files = {f"rows/{n}.jsonl": Blob(content, lfs=True) for n, content in enumerate(rows)}
    other = {"other.jsonl": Blob(b'{"text": "of no split"}\n', lfs=False)}
    repository.commit({"README.md": Blob(CARD, lfs=False), **files, **other})
    return repository


def model() -> Repository:
    """Files of a model, as far as a download looks at them."""
    repository = Repository(private=False)
    small = {"config.json": Blob(b'{"model_type": "llama"}' + 2000 * b" ", lfs=False)}
    repository.commit({**small, "model.safetensors": Blob(WEIGHTS, lfs=True)})
    return repository


def rows(name: str) -> list[str]:
    """The rows of a data set."""
    from pipeline.sources import read

    return [str(row.values["text"]) for row in read(f"hub:{name}")]


def files(name: str) -> dict[str, int]:
    """The files of a model by their size, once their content was found to be right."""
    from pipeline.hub.files import downloaded

    place = downloaded(name, "model", ["*.json", "model.safetensors"])
    assert (place / "model.safetensors").read_bytes() == WEIGHTS
    return {file.name: file.stat().st_size for file in sorted(place.iterdir())}


def pushes(run: Any, hub: Hub) -> Work:
    """The push of a finished run."""
    from pipeline.publish.hub import Destination, publish

    def work(name: str) -> list[Any]:
        publish(run, "", Destination(name, public=False), dry_run=False)
        return [len(hub.repositories[name].commits), *sorted(hub.repositories[name].files)]

    return work


def goes_on(push: Trials) -> dict[str, Any]:
    """A push that fails at its last request, and the same one again."""
    name = "user/again-001x"
    push.misbehaviour.faults[name] = (HTTPStatus.SERVICE_UNAVAILABLE, "POST /api/models/NAME/commit/main", 99)
    first = outcome(lambda: push.work(name))
    push.misbehaviour.faults[name] = (None, "", 0)
    second = outcome(lambda: push.work(name))
    sent = [request for request in push.misbehaviour.met[name] if request.startswith("PUT ")]
    return {"first": first, "second": second, "sent": len(sent)}


RIGHTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no token": ("user/films", {"token": ""}, "no access token"),
    "wrong token": ("user/films", {"token": "hf_wrong"}, "status 401"),
    "a token that reads": ("user/films", {"role": "read"}, "the token may read and not write"),
    "another's name": ("other/films", {}, "use user/films, or a token of other"),
    "an organisation's reader": ("org/films", {"orgs": {"org": "read"}}, "the token may read and not write"),
    "a token for another": (
        "user/films",
        {"role": "fineGrained", "granted": "org"},
        "may not write to user",
    ),
    "no name": ("films", {}, "not of the form user/name"),
    "public already": ("user/open", {}, "everybody can read it; add --public"),
    "there, and not to be written": ("user/kept", {"refuse_writes": HTTPStatus.FORBIDDEN}, "status 403"),
    "out of order": ("user/kept", {"refuse_writes": HTTPStatus.SERVICE_UNAVAILABLE}, "status 503"),
}
"""Where a push with the training may not go: the repository, what the Hub is like, and the words for it."""


def asked_before(hub: Hub, recipe: Path, directory: Path) -> dict[str, Any]:
    """What the command line says to each of ``RIGHTS``, which stages there are then, and then where all is well."""
    from pipeline.cli import main

    hub.repositories |= {"user/open": Repository(private=False), "user/kept": Repository(private=True)}
    for name in ("user/open", "user/kept"):
        hub.repositories[name].commit({})
    found = {}

    def trial(repo: str) -> dict[str, Any]:
        said = io.StringIO()
        with redirect_stderr(said):
            code = main(["pretrain", "--recipe", str(recipe), "--runs", str(directory), "--push", repo])
        return {"code": code, "said": said.getvalue(), "stages": [f.name for f in directory.glob("*/*")]}

    for case, (repo, state, _) in RIGHTS.items():
        before = {name: getattr(hub, name) for name in state if name != "token"}
        os.environ["HF_TOKEN"] = state.get("token", TOKEN)
        for name in before:
            setattr(hub, name, state[name])
        found[case] = trial(repo)
        for name, value in before.items():
            setattr(hub, name, value)
    os.environ["HF_TOKEN"] = TOKEN
    found["allowed"] = {**trial("user/trained"), "files": sorted(hub.repositories["user/trained"].files)}
    return found


def main(directory: Path) -> dict[str, Any]:
    """All trials."""
    with hub_server() as hub:
        limits = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
        os.environ |= {**hub.environment(directory / "home"), **limits, "HF_HUB_VERBOSITY": "error"}
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
        import datasets

        datasets.utils.logging.set_verbosity_error()
        from pipeline.hub import asking
        from pipeline.recipe_files import load_recipe
        from tests.publish.finished_run import write_run
        from tests.small_recipe import write_data, write_recipe

        asking._WAITS = (0.1, 0.2, 0.4, 0.8)  # as many tries, in a tenth of the time
        write_data(directory / "data")
        recipe = write_recipe(directory / "data")
        run = write_run(load_recipe(str(recipe)), directory / "runs")
        misbehaviour = Misbehaviour(hub)
        kinds = [
            Trials("rows", rows, misbehaviour, lambda name: hub.datasets.update({name: data_set()})),
            Trials("model", files, misbehaviour, lambda name: hub.repositories.update({name: model()})),
            Trials("push", pushes(run, hub), misbehaviour, lambda name: None),
        ]
        trials = [list(kind.all()) for kind in kinds]
        with ThreadPoolExecutor(64) as pool:
            again = pool.submit(goes_on, kinds[-1])
            done = list(pool.map(lambda trial: trial(), chain.from_iterable(trials)))
        found = {}
        for kind, ready in zip(kinds, trials, strict=True):
            found[kind.kind], done = done[: len(ready)], done[len(ready) :]
        before = asked_before(hub, recipe, directory / "asked")
        return {"trials": found, "again": again.result(), "before": before}


if __name__ == "__main__":
    with redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as place:
        told = main(Path(place))
    print(json.dumps(told))
