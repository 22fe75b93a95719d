"""A model that is talked to, and what was said: answers come piece by piece, and old exchanges make room for new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import read_json
from pipeline.errors import GroundupError
from pipeline.inference.finished import stock_model
from pipeline.inference.sampling import MODELS_OWN, Sampling
from pipeline.model.special_tokens import converses, harmless

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact
    from pipeline.inference.wardrobe import Wardrobe
    from pipeline.stages import Run

_ROOM = 32
"""Tokens that an answer should have; the oldest exchanges are forgotten for them."""


@dataclass
class Conversation:
    """What was said, as chat templates take it."""

    system: str = ""
    """The system message; none when empty."""
    messages: list[dict[str, str]] = field(default_factory=list)
    """Of the user and the assistant by turns."""
    forgotten: int = 0
    """Exchanges at its beginning that have made room."""

    def reset(self) -> None:
        """Forget all but the system message."""
        self.messages.clear()
        self.forgotten = 0


class Speaker:
    """A model and its tokenizer.

    Args:
        model: that generates.
        tokenizer: its own.
        wardrobe: the adapters of the model, where it wears one.
    """

    def __init__(self, model: Any, tokenizer: Any, wardrobe: Wardrobe | None = None) -> None:
        self.model, self.tokenizer, self.wardrobe = model, tokenizer, wardrobe

    @property
    def converses(self) -> bool:
        """Whether it was trained on conversations."""
        return converses(self.tokenizer.chat_template, self.tokenizer.eos_token)

    @property
    def context(self) -> int:
        """Tokens that it reads and writes together."""
        return int(getattr(self.model.config, "max_position_embeddings", 1024))

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

    def reply(self, talk: Conversation, line: str, sampling: Sampling = MODELS_OWN) -> Iterator[str]:
        """The answer to a line, piece by piece as it is generated; both are then part of the conversation.

        Whoever stops taking pieces stops the model, and what was said by then is remembered.

        Raises:
            GroundupError: when the line, with the system message, is longer than the model reads, or its template takes
                no system message.
        """
        asked = {"role": "user", "content": harmless(line, self.tokenizer)}
        ids = self._prompt(talk, asked)
        talk.messages.append(asked)
        said: list[str] = []
        try:
            for piece in self._generated(ids, sampling):
                said.append(piece)
                yield piece
        finally:
            answer = harmless("".join(said).strip(), self.tokenizer)
            talk.messages.append({"role": "assistant", "content": answer})

    def length(self, talk: Conversation) -> int:
        """Tokens of a conversation as the model reads it."""
        if not self.converses:
            return 0
        return self._written(talk.system, talk.messages)["input_ids"].shape[1] if talk.messages else 0

    def continued(self, text: str, sampling: Sampling = MODELS_OWN) -> Iterator[str]:
        """How a text goes on, piece by piece, whatever the model was trained for.

        Raises:
            GroundupError: when the text is longer than the model reads.
        """
        yield from self._generated(self.read(text), sampling)

    def read(self, text: str) -> Any:
        """The tokens of a text as it stands; of none, what begins one.

        Raises:
            GroundupError: when they are more than the model reads.
        """
        begin = self.tokenizer.bos_token or self.tokenizer.eos_token
        ids = self.tokenizer(
            text or begin, return_tensors="pt", add_special_tokens=False, split_special_tokens=bool(text)
        )
        self._check_room(ids)
        return ids

    def _prompt(self, talk: Conversation, asked: dict[str, str]) -> Any:
        """What the model reads, having forgotten the oldest exchanges until an answer fits."""
        if not self.converses:
            return self.read(asked["content"])
        ids = self._written(talk.system, [*talk.messages, asked])
        while talk.messages and self._room(ids) < _ROOM:
            del talk.messages[:2]
            talk.forgotten += 1
            ids = self._written(talk.system, [*talk.messages, asked])
        self._check_room(ids)
        return ids

    def _check_room(self, ids: Any) -> None:
        if self._room(ids) < 1:
            raise GroundupError(
                "what you wrote",
                f"the model would have to read {ids['input_ids'].shape[1]} tokens, and reads {self.context - 1}",
                "write less",
            )

    def _written(self, system: str, messages: list[dict[str, str]]) -> Any:
        """A conversation's tokens, up to where the assistant speaks."""
        from jinja2 import TemplateError

        first = [{"role": "system", "content": harmless(system, self.tokenizer)}] if system else []
        try:
            return self.tokenizer.apply_chat_template(
                [*first, *messages], add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except TemplateError as error:
            raise GroundupError(
                "the system message",
                f"the model's chat template takes none ({error})",
                "take it back: /system",
            ) from error

    def _room(self, ids: Any) -> int:
        return self.context - int(ids["input_ids"].shape[1])

    def _generated(self, ids: Any, sampling: Sampling) -> Iterator[str]:
        """Text as ``generate`` writes it in a thread of its own, which ends with this iterator."""
        import torch
        from transformers import TextIteratorStreamer

        ids = ids.to(self.model.device)
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        enough, failures = Event(), []

        def write() -> None:
            try:
                self.model.generate(
                    **ids,
                    streamer=streamer,
                    max_new_tokens=min(sampling.max_new_tokens, self._room(ids)),
                    stopping_criteria=[lambda produced, _: torch.full((len(produced),), enough.is_set())],
                    **sampling.options(self.model.generation_config),
                )
            except BaseException as error:
                failures.append(error)
            finally:
                streamer.end()

        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        writer = Thread(target=write, daemon=True)
        writer.start()
        try:
            yield from filter(None, streamer)
        finally:
            enough.set()
            writer.join()
        if failures:
            raise failures[0]


def _check_generates(artifact: Artifact) -> None:
    kind = str(read_json(artifact.path / "config.json").get("architectures", ["model"])[0])
    if not kind.endswith(("ForCausalLM", "LMHeadModel")):
        raise GroundupError(
            str(artifact.path),
            f"it is a {kind} and writes no text",
            "talk to chat, translation, summarization or the pre-trained model",
        )
