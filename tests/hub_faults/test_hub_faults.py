"""A Hub that refuses, is busy, cuts connections or is slow, at every request of a download and a push."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.command_line import ROOT
from tests.hub_faults.client import PASSING, REFUSING, RIGHTS, SHARDS, name_of

KINDS = ("rows", "model", "push")
WORDS = {
    "UNAUTHORIZED": "sign in with hf auth login, or set HF_TOKEN",
    "FORBIDDEN": "with a token that may",
    "NOT_FOUND": "check the name",
    "TOO_MANY_REQUESTS": "wait some minutes, then run the same command again, what has arrived is",
    "INTERNAL_SERVER_ERROR": "status 500; run the same command again later, what has arrived is",
    "SERVICE_UNAVAILABLE": "status 503; run the same command again later, what has arrived is",
    **dict.fromkeys(
        ("CUT", "HALF", "SILENT", "TRICKLE", "FLIPPED"),
        "check the network (and HF_ENDPOINT), then run the same command again, what has arrived is",
    ),
}
"""What to do, by the fault."""
LONGEST = 90
"""Seconds after which every trial is over, on a busy machine, with time limits of a second."""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What came of all trials."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hub_faults.client"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def _trials(told: dict[str, Any], kind: str) -> tuple[Any, list[dict[str, Any]]]:
    """What comes where all is well, and the trials with a fault."""
    plain, *trials = told["trials"][kind]
    return plain["result"], trials


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_is_whole_or_one_sentence_that_says_what_to_do(told: dict[str, Any], kind: str) -> None:
    wanted, trials = _trials(told, kind)
    for trial in trials:
        assert trial["seconds"] < LONGEST, trial
        if "refused" in trial:
            assert WORDS[trial["fault"]] in trial["refused"] and f"user/{kind}-" in trial["refused"], trial
        else:
            assert trial["result"] == wanted, trial


@pytest.mark.parametrize("kind", KINDS)
def test_faults_that_pass_are_waited_for_at_every_request(told: dict[str, Any], kind: str) -> None:
    _, trials = _trials(told, kind)
    passed = {trial["fault"] for trial in trials if trial["times"] == 1 and "result" in trial}
    assert {name_of(fault) for fault in PASSING} <= passed


@pytest.mark.parametrize("kind", KINDS)
def test_faults_without_end_are_told(told: dict[str, Any], kind: str) -> None:
    _, trials = _trials(told, kind)
    refused = {trial["fault"] for trial in trials if trial["times"] == 99 and "refused" in trial}
    assert refused - {"FLIPPED"} == {name_of(fault) for fault in (*REFUSING, *PASSING)}


def test_a_file_that_is_not_the_one_that_was_sent_is_fetched_again(told: dict[str, Any]) -> None:
    found = [trial for trial in _trials(told, "model")[1] if trial["fault"] == "FLIPPED"]
    assert {trial["where"].rpartition("/")[2] for trial in found} == {"config.json", "model.safetensors"}
    assert all(("result" in trial) == (trial["times"] == 1) for trial in found), found
    assert all("has another checksum" in trial["refused"] for trial in found if "refused" in trial)


def test_the_rows_are_those_that_the_card_says(told: dict[str, Any]) -> None:
    assert _trials(told, "rows")[0] == [row["text"] for shard in SHARDS for row in shard]


def test_reading_goes_on_after_the_last_row_that_came(told: dict[str, Any]) -> None:
    wanted, trials = _trials(told, "rows")
    (broken,) = [trial for trial in trials if trial["times"] == 8]
    assert broken["where"].endswith("rows/1.jsonl") and broken["result"] == wanted


def test_a_push_goes_on_where_it_stopped(told: dict[str, Any]) -> None:
    assert "status 503" in told["again"]["first"]["refused"]
    assert told["again"]["second"]["result"][0] == 2 and told["again"]["sent"] == 1


@pytest.mark.parametrize("case", RIGHTS)
def test_what_a_push_needs_is_asked_before_training(told: dict[str, Any], case: str) -> None:
    found = told["before"][case]
    assert found["code"] == 2 and found["stages"] == [], found
    assert RIGHTS[case][2] in found["said"] and found["said"].count("\n") == 1, found


def test_what_was_trained_is_pushed(told: dict[str, Any]) -> None:
    found = told["before"]["allowed"]
    assert found["code"] == 0 and "pretrain" in found["stages"], found
    assert {"README.md", "model.safetensors", "tokenizer.json"} <= set(found["files"])
