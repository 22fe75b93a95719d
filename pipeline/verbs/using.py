"""Verbs that use a finished model, and hand it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.demo.server import Serving
from pipeline.errors import GroundupError
from pipeline.inference.sampling import Sampling
from pipeline.verbs.common import ADAPTER_SHORT, Common, Nothing, Verb, chosen_tasks

if TYPE_CHECKING:
    from pipeline.stages import Run


@dataclass(frozen=True)
class Chat(Sampling):
    """What chat takes beside."""

    system: str = ""
    """A message that tells the model how to answer, where it holds conversations."""


@dataclass(frozen=True)
class Translate:
    """What translate takes beside."""

    po: Path = Path()
    """The gettext catalogue."""
    out: Path | None = None
    """Where the translated one goes; without it beside the catalogue, as fr.translated.po."""
    into: str = ""
    """The language, where the model has learnt both directions; without it, that of the catalogue's header."""
    fuzzy: bool = False
    """Translate anew what is marked as fuzzy."""
    overwrite: bool = False
    """Replace a file that is there, the catalogue itself if --out names it."""


@dataclass(frozen=True)
class Publish:
    """What publish takes beside."""

    repo: str = ""
    """Repository on the Hub, as user/name."""
    public: bool = False
    """Let everybody read it; without this a new repository is private, and one that is public is refused."""
    dry_run: bool = False
    """Show the card and every file that would be pushed, without a network."""
    form: Literal["auto", "adapter", "model"] = "auto"
    """Of a task that was trained with an adapter: that alone, or the model; auto takes the model where it is merged."""
    base: str = ""
    """Where on the Hub the model is that an adapter stands on, as user/name."""
    datasheet: bool = False
    """Publish the data sheet of the corpus as a data set, with none of the text."""


@dataclass(frozen=True)
class Export:
    """What export takes beside."""

    format: tuple[str, ...] = ()
    """Formats: onnx, gguf, gguf-q8, gguf-q4, int8, nf4, int4; without any, all that can be made here."""
    limit: int = 0
    """Compare on the first so many held-out examples or documents; 0 takes all."""


@dataclass(frozen=True)
class Space:
    """What space takes beside."""

    repo: str = ""
    """The Space on the Hub, as user/name."""
    model_repo: str = ""
    """The published model that it shows; without this the one of the same name."""
    public: bool = False
    """Let everybody see it; without this a new Space is private, and one that is public is refused."""
    dry_run: bool = False
    """Show the card and every file that would be pushed, without a network."""


def _chat(common: Common, run: Run, options: Chat) -> None:
    from pipeline.inference.chat import chat

    sampling = Sampling(options.temperature, options.top_p, options.max_new_tokens, options.seed)
    chat(run, common.task, sampling, options.system)


def _translate(common: Common, run: Run, options: Translate) -> None:
    from pipeline.inference.translate import Wish, translate_catalogue

    if options.po == Path():
        raise GroundupError("translate", "no catalogue is named", "use --po FILE")
    wish = Wish(options.po, options.out, options.into, options.fuzzy, options.overwrite)
    translate_catalogue(run, common.task or "translation", wish)


def _merge(common: Common, run: Run, _: Nothing) -> None:
    from pipeline.inference.merge import merge

    for task in chosen_tasks(common, run.recipe):
        merge(run, task)


def _export(common: Common, run: Run, options: Export) -> None:
    from pipeline.export.export import export
    from pipeline.export.table import print_exports

    named = chosen_tasks(common, run.recipe) if common.task == "all" else [common.task]
    for task in named:
        print_exports(export(run, task, options.format, options.limit))


def _publish(common: Common, run: Run, options: Publish) -> None:
    if options.datasheet:
        from pipeline.publish.datasheet import publish_datasheet

        return publish_datasheet(run, options.repo, options.public, options.dry_run)
    from pipeline.publish.hub import Destination, Wish, publish

    to, wish = Destination(options.repo, options.public), Wish(options.form, options.base)
    return publish(run, common.task, to, options.dry_run, wish)


def _demo(common: Common, run: Run, options: Serving) -> None:
    from pipeline.demo.server import serve

    serve(run, options)


def _space(common: Common, run: Run, options: Space) -> None:
    from pipeline.publish.space import Wish, make_space

    make_space(run, common.task, Wish(options.repo, options.model_repo, options.public, options.dry_run))


USING = {
    "chat": Verb("talk to a model in the terminal", _chat, ADAPTER_SHORT, usual_task="chat", options=Chat()),
    "demo": Verb("try the finished models in a browser", _demo, ADAPTER_SHORT, options=Serving()),
    "translate": Verb(
        "fill in a gettext catalogue, --po FILE, by the model of translation", _translate, options=Translate()
    ),
    "merge": Verb(
        "make a stock model of --task NAME's --adapter NAME", _merge, ADAPTER_SHORT, needs_task=True
    ),
    "export": Verb(
        "write a model in the formats of others, and compare: the pre-trained one, or that of --task NAME",
        _export,
        ADAPTER_SHORT,
        options=Export(),
    ),
    "publish": Verb("write a model card and push to the Hub", _publish, ADAPTER_SHORT, options=Publish()),
    "space": Verb("put a page for a published model on the Hub", _space, ADAPTER_SHORT, options=Space()),
}
