"""Talk to a model in the terminal: a conversation where it has a chat template, else continuations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import read_json
from pipeline.errors import GroundupError
from pipeline.inference.finished import finished_artifact, stock_model
from pipeline.model.special_tokens import converses, harmless
from pipeline.stages import stage_of

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact
    from pipeline.inference.wardrobe import Wardrobe
    from pipeline.stages import Run

_SAMPLING = {"do_sample": True, "temperature": 0.3, "top_p": 0.9}
"""For models that do not say how they sample; cool, since small models wander."""
_HELP = "/reset forgets the conversation, /adapter NAME swaps the adapter, /quit ends it"
_CHAT = "chat"


def chat(run: Run, task: str) -> None:
    """Read lines from the terminal or a pipe and answer each, token by token, until its end or ``/quit``.

    Args:
        run: whose model is talked to.
        task: a fine-tuned task, or dpo or grpo; without it the chat model, or else the pre-trained one.

    Raises:
        GroundupError: when no such model is finished, or it is a classifier.
    """
    artifact = _choose(run, task)
    name = _adapter_name(run, task)
    speaker = Speaker.adapted(run, task or _CHAT, name) if name else Speaker.load(artifact)
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
        elif line.split() and line.split()[0] == "/adapter":
            print(speaker.wear(line.removeprefix("/adapter").strip()))
        elif line:
            speaker.answer(line)


def _choose(run: Run, task: str) -> Artifact:
    if task:
        return finished_artifact(run, task)
    names = [run.stage_of(_CHAT)] if _adapter_name(run, task) else [stage_of(_CHAT), "pretrain"]
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
    settings = run.recipe.tasks.get(task or _CHAT)
    return settings.adapter.name if settings else ""


class Speaker:
    """A model, its tokenizer and the conversation so far.

    Args:
        model: that generates.
        tokenizer: its own.
        wardrobe: the adapters of the model, where it wears one.
    """

    def __init__(self, model: Any, tokenizer: Any, wardrobe: Wardrobe | None = None) -> None:
        self.model, self.tokenizer, self.wardrobe = model, tokenizer, wardrobe
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
        _check_generates(artifact)
        model, tokenizer = stock_model(artifact)
        return cls(model.eval(), tokenizer)

    @classmethod
    def adapted(cls, run: Run, task: str, name: str) -> Speaker:
        """A task's base model with an adapter on, which can be swapped for another.

        Raises:
            GroundupError: when there is no such adapter, or the model does not generate text.
        """
        from pipeline.inference.wardrobe import Wardrobe

        wardrobe = Wardrobe(run, task)
        wardrobe.wear(name)
        _check_generates(wardrobe.artifact(name))
        return cls(wardrobe.model, wardrobe.tokenizer, wardrobe)

    def wear(self, name: str) -> str:
        """Swap the adapter, and go on with the conversation; says which one is worn, or why it is not swapped."""
        if self.wardrobe is None:
            return "no adapter is worn: start with --adapter NAME to swap between those of a task"
        try:
            if name:
                self.wardrobe.wear(name)
                self.model = self.wardrobe.model
        except GroundupError as error:
            return str(error)
        return f"{self.wardrobe.worn} is worn; there are {', '.join(self.wardrobe.names)}"

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


def _check_generates(artifact: Artifact) -> None:
    kind = str(read_json(artifact.path / "config.json").get("architectures", ["model"])[0])
    if not kind.endswith(("ForCausalLM", "LMHeadModel")):
        raise GroundupError(
            str(artifact.path),
            f"it is a {kind} and writes no text",
            "talk to chat, translation, summarization or the pre-trained model",
        )
