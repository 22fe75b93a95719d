"""Talk to a model in the terminal: a conversation where it has a chat template, else continuations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipeline.errors import GroundupError
from pipeline.inference.commands import Talk
from pipeline.inference.finished import finished_artifact
from pipeline.inference.sampling import MODELS_OWN, Sampling
from pipeline.inference.speaker import Conversation, Speaker
from pipeline.stages import stage_of

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact
    from pipeline.stages import Run

CHAT = "chat"


def chat(run: Run, task: str, sampling: Sampling = MODELS_OWN, system: str = "") -> None:
    """Read lines from the terminal or a pipe and answer each, token by token, until its end or ``/quit``.

    Lines that begin with a slash are commands (``pipeline/inference/commands.py``). In a terminal Ctrl-C stops an
    answer, and between answers the program.

    Args:
        run: whose model is talked to.
        task: a fine-tuned task, or dpo or grpo; without it the chat model, or else the pre-trained one.
        sampling: how it answers, until ``/set`` says otherwise.
        system: the system message, until ``/system`` says otherwise.

    Raises:
        GroundupError: when no such model is finished, or it is a classifier; for settings that do not fit.
    """
    artifact = chosen_model(run, task)
    name = _adapter_name(run, task)
    sampling.checked()
    speaker = Speaker.adapted(run, task or CHAT, name) if name else Speaker.load(artifact)
    if system and not speaker.converses:
        raise GroundupError(str(artifact.path), "it holds no conversation", "leave --system out")
    talk = Talk(speaker, sampling, Conversation(system))
    interactive = sys.stdin.isatty()
    if interactive:
        does = "a conversation" if speaker.converses else "continues what you write"
        print(f"{artifact.path}: {does}; {talk.bounds}")
        print(f"{sampling.in_words(speaker.model.generation_config)}; /help lists the commands, /quit ends")
    while not talk.is_over:
        try:
            line = input("> " if interactive else "").strip()
        except EOFError:
            return
        if line.startswith("/") and not line.startswith("//"):
            print(talk.command(line), end="\n" if line != "/quit" else "")
        elif line:
            _answer(talk, line.removeprefix("/"), interactive)


def _answer(talk: Talk, line: str, interactive: bool) -> None:
    """Print the answer to a line as it is generated."""
    before = talk.conversation.forgotten
    try:
        for piece in talk.speaker.reply(talk.conversation, line, talk.sampling):
            print(piece, end="", flush=True)
    except GroundupError as error:
        print(error, end="")
    except KeyboardInterrupt:
        if not interactive:
            raise
        print(" (stopped)", end="")
    print()
    if interactive and talk.conversation.forgotten > before:
        print(f"({talk.bounds})")


def chosen_model(run: Run, task: str) -> Artifact:
    """The finished stage of a task; without one that of chat, or else of pre-training.

    Raises:
        GroundupError: when there is none.
    """
    if task:
        return finished_artifact(run, task)
    names = [run.stage_of(CHAT)] if _adapter_name(run, task) else [stage_of(CHAT), "pretrain"]
    for name in names:
        artifact = run.artifact(name)
        if artifact.manifest().get("complete"):
            return artifact
    raise GroundupError(
        str(run.artifact(names[-1]).path),
        "there is no finished model",
        "run make pretrain, or make finetune TASK=chat",
    )


def _adapter_name(run: Run, task: str) -> str:
    """Of the adapter that the recipe names for the task, or for chat."""
    settings = run.recipe.tasks.get(task or CHAT)
    return settings.adapter.name if settings else ""
