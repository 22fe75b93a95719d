"""A finished chat model behind ``transformers serve``, asked as OpenAI's is."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from pipeline.model.special_tokens import END_OF_TURN
from pipeline.recipe import Grpo
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run
from tests.publish.finished_run import ALIGNED_METRICS, finish_aligned, write_run

CALL = '<tool_call>\n{"name": "seek", "arguments": {"thing": "keys"}}\n</tool_call>'


@pytest.fixture(scope="module")
def model(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 from random weights, ready for turns under our template."""
    recipe = dataclasses.replace(load_recipe(str(tiny)), grpo=Grpo(data=("reasoning-gym:chain_sum",)))
    run: Run = write_run(recipe, tmp_path_factory.mktemp("served"))
    finish_aligned(run, "grpo", ALIGNED_METRICS)
    return run.artifact("finetune/chat").path


@pytest.fixture(scope="module")
def address(model: Path) -> Iterator[str]:
    """Of its server, started as docs/using.md says."""
    pytest.importorskip("openai", reason="transformers serve asks for it (pip install 'groundup[serve]')")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = Path(sys.executable).with_name("transformers")
    server = subprocess.Popen(
        [program, "serve", model, "--port", port], env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    address, until = f"http://127.0.0.1:{port}/v1", time.monotonic() + 180
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None and time.monotonic() < until, server.communicate(timeout=5)
                time.sleep(0.3)
        yield address
    finally:
        server.terminate()
        server.communicate(timeout=30)


def _asked(address: str, model: Path, bias: str, most: int) -> dict[str, Any]:
    """One reply by the standard library, in which a token comes whatever the model would say."""
    token = AutoTokenizer.from_pretrained(model)(bias, add_special_tokens=False)["input_ids"][0]
    said = {
        "model": str(model),
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}],
        "max_tokens": most, "temperature": 0, "logit_bias": {str(token): 1000.0},
    }  # fmt: skip
    request = urllib.request.Request(
        f"{address}/chat/completions", json.dumps(said).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        (choice,) = json.load(answer)["choices"]
    return choice


def test_replies_are_text_without_the_marks_of_turns(address: str, model: Path) -> None:
    ended = _asked(address, model, END_OF_TURN, 5)
    assert (ended["finish_reason"], ended["message"]["content"]) == ("stop", "")
    cut = _asked(address, model, "film", 3)
    assert cut["finish_reason"] == "length" and len(set(cut["message"]["content"])) <= 4
    assert cut["message"]["role"] == "assistant" and "<|" not in cut["message"]["content"]


def test_the_client_of_openai_streams(address: str, model: Path) -> None:
    import openai

    client = openai.OpenAI(base_url=address, api_key="none")
    assert [one.id for one in client.models.list()] == [str(model)]
    pieces = client.chat.completions.create(
        model=str(model), messages=[{"role": "user", "content": "Hi"}], max_tokens=6, seed=1, stream=True
    )
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert said and "<|" not in said


def test_a_reply_is_read_back_as_a_message(model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], add_generation_prompt=True, tokenize=False
    )
    assert tokenizer.parse_response(f"Yes.{END_OF_TURN}", prefix=prompt) == {
        "role": "assistant",
        "content": "Yes.",
    }
    called = tokenizer.parse_response(f"Look.\n{CALL}{END_OF_TURN}", prefix=prompt)
    assert called["content"] == "Look."
    (call,) = called["tool_calls"]
    assert call["function"] == {"name": "seek", "arguments": {"thing": "keys"}}
    again = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}, called], tokenize=False)
    assert again == f"{prompt}Look.\n{CALL}{END_OF_TURN}", "and written again it is the same"
