"""What a person may say to the program, and not to the model, while they talk: lines that begin with a slash."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.errors import GroundupError, nearest
from pipeline.inference.sampling import MODELS_OWN, Sampling
from pipeline.inference.speaker import Conversation, Speaker


@dataclass
class Talk:
    """A conversation in the terminal."""

    speaker: Speaker
    sampling: Sampling = MODELS_OWN
    conversation: Conversation = field(default_factory=Conversation)
    is_over: bool = False

    def command(self, line: str) -> str:
        """Do what a line with a slash says; what there is to tell of it, or why it was not done."""
        name, _, rest = line.partition(" ")
        if name not in COMMANDS:
            return (
                f"unknown command '{name}'; {nearest(name, COMMANDS)} (/help lists them; to say a line to the model "
                "that begins with a slash, begin it with two)"
            )
        try:
            return COMMANDS[name].work(self, rest.strip())
        except GroundupError as error:
            return str(error)

    @property
    def bounds(self) -> str:
        """How much of the conversation the model still knows."""
        speaker, talk = self.speaker, self.conversation
        if not speaker.converses:
            return f"each line is continued by itself, within a context of {speaker.context} tokens"
        kept, gone = len(talk.messages) // 2, talk.forgotten
        forgotten = f", {gone} older forgotten" if gone else ""
        length = speaker.length(talk)
        exchanges = "exchange" if kept == 1 else "exchanges"
        return f"{kept} {exchanges} remembered{forgotten}; {length} of {speaker.context} tokens"


@dataclass(frozen=True)
class Command:
    """One of them."""

    takes: str
    help: str
    work: Callable[[Talk, str], str]


def _help(talk: Talk, _: str) -> str:
    shown = {f"{name} {command.takes}".strip(): command.help for name, command in COMMANDS.items()}
    widest = max(map(len, shown))
    return "\n".join(f"{name:{widest}}  {text}" for name, text in shown.items())


def _system(talk: Talk, text: str) -> str:
    if text and not talk.speaker.converses:
        return "this model continues text and holds no conversation, so it takes no system message"
    talk.conversation.system = text
    return "the system message is set, and stays after /reset" if text else "there is no system message"


def _set(talk: Talk, rest: str) -> str:
    if rest:
        name, _, value = rest.replace("=", " ", 1).partition(" ")
        if not value.strip():
            raise GroundupError(f"/set {name}", "there is no value", "write /set NAME VALUE")
        talk.sampling = talk.sampling.changed(name, value)
    return talk.sampling.in_words(talk.speaker.model.generation_config)


def _history(talk: Talk, _: str) -> str:
    system, messages = talk.conversation.system, talk.conversation.messages
    lines = [f"system: {system}"] if system else []
    return "\n".join([*lines, *(f"{m['role']}: {m['content']}" for m in messages), talk.bounds])


def _reset(talk: Talk, _: str) -> str:
    talk.conversation.reset()
    return "the conversation is forgotten"


def _quit(talk: Talk, _: str) -> str:
    talk.is_over = True
    return ""


_NAMES = ", ".join(field.name.replace("_", "-") for field in dataclasses.fields(Sampling))

COMMANDS = {
    "/help": Command("", "shows this", _help),
    "/system": Command("TEXT", "tells the model how to answer; without TEXT takes it back", _system),
    "/set": Command("NAME VALUE", f"sets {_NAMES}; without a name shows them", _set),
    "/history": Command("", "shows what was said, and how much of it the model still reads", _history),
    "/adapter": Command(
        "NAME", "swaps the adapter; without NAME says which there are", lambda t, n: t.speaker.wear(n)
    ),
    "/reset": Command("", "forgets the conversation", _reset),
    "/quit": Command("", "ends", _quit),
}
"""Commands by their name."""
