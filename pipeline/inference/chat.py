"""Talk to a model in the terminal: a conversation where it has a chat template, else continuations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import read_json
from pipeline.errors import GroundupError
from pipeline.model.special_tokens import converses, harmless

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact
    from pipeline.stages import Run

_SAMPLING = {"do_sample": True, "temperature": 0.3, "top_p": 0.9}
"""For models that do not say how they sample; cool, since small models wander."""
_HELP = "/reset forgets the conversation, /quit ends it"


def chat(run: Run, task: str) -> None:
    """Read lines from the terminal or a pipe and answer each, token by token, until its end or ``/quit``.

    Args:
        run: whose model is talked to.
        task: a fine-tuned task, or dpo or grpo; without it the chat model, or else the pre-trained one.

    Raises:
        GroundupError: when no such model is finished, or it is a classifier.
    """
    artifact = _choose(run, task)
    speaker = Speaker.load(artifact)
    interactive = sys.stdin.isatty()
    if interactive:
        print(
            f"{artifact.path}: {'a conversation' if speaker.converses else 'continues what you write'}; {_HELP}"
        )
    while True:
        try:
            line = input("> " if interactive else "").strip()
        except EOFError:
            return
        if line == "/quit":
            return
        if line == "/reset":
            speaker.history.clear()
        elif line:
            speaker.answer(line)


def _choose(run: Run, task: str) -> Artifact:
    room = "align" if task in ("dpo", "grpo") else "finetune"
    names = [f"{room}/{task}"] if task else ["finetune/chat", "pretrain"]
    for name in names:
        artifact = run.artifact(name)
        if artifact.manifest().get("complete"):
            return artifact
    verb = "align" if room == "align" else f"finetune TASK={task}"
    raise GroundupError(
        str(run.artifact(names[-1]).path),
        "there is no finished model",
        f"run make {verb}" if task else "run make pretrain, or make finetune TASK=chat",
    )


class Speaker:
    """A model, its tokenizer and the conversation so far."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.history: list[dict[str, str]] = []

    @property
    def converses(self) -> bool:
        """Whether it was trained on conversations."""
        return converses(self.tokenizer.chat_template, self.tokenizer.eos_token)

    @classmethod
    def load(cls, artifact: Artifact) -> Speaker:
        """From a finished stage.

        Raises:
            GroundupError: when the model does not generate text.
        """
        from pipeline.model.machine import on_device
        from pipeline.model.published import load_model, load_tokenizer

        kind = _architecture(artifact)
        if not kind.endswith(("ForCausalLM", "LMHeadModel")):
            raise GroundupError(
                str(artifact.path),
                f"it is a {kind} and writes no text",
                "talk to chat, translation, summarization or the pre-trained model",
            )
        model = on_device(load_model(str(artifact.path), "AutoModelForCausalLM"))
        return cls(model.eval(), load_tokenizer(str(artifact.path)))

    def answer(self, line: str) -> None:
        """Print the answer to a line as it is generated, and remember both."""
        from transformers import TextStreamer

        self.history.append({"role": "user", "content": harmless(line, self.tokenizer)})
        ids = self._prompt(line).to(self.model.device)
        streamer = TextStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        produced = self.model.generate(
            **ids,
            streamer=streamer,
            max_new_tokens=self._room(ids),
            **({} if self.model.generation_config.do_sample else _SAMPLING),
        )
        text = self.tokenizer.decode(produced[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        self.history.append({"role": "assistant", "content": harmless(text.strip(), self.tokenizer)})

    def _prompt(self, line: str) -> Any:
        if not self.converses:
            return self.tokenizer(line, return_tensors="pt", add_special_tokens=False)
        while True:  # forget the oldest turns until an answer fits
            ids = self.tokenizer.apply_chat_template(
                self.history, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            if len(self.history) <= 2 or self._room(ids) >= 32:
                return ids
            del self.history[:2]

    def _room(self, ids: Any) -> int:
        positions = getattr(self.model.config, "max_position_embeddings", 1024)
        return max(1, min(256, positions - ids["input_ids"].shape[1]))


def _architecture(artifact: Artifact) -> str:
    return str(read_json(artifact.path / "config.json").get("architectures", ["model"])[0])
