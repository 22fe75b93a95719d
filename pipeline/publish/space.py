"""A Space of the Hub: a page on which everybody who may see it can try a published model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huggingface_hub import SpaceCard, SpaceCardData
from huggingface_hub.constants import ENDPOINT

from pipeline.errors import GroundupError
from pipeline.evaluate.squad import LONGEST_ANSWER
from pipeline.publish.facts import Facts
from pipeline.publish.hub import CARD, Destination, Uploads, check_finished, send, stage_named
from pipeline.publish.markdown import address, escaped
from pipeline.publish.permission import check_name, check_permission, repository
from pipeline.stages import Run
from pipeline.tasks import task_named

_APPS = Path(__file__).parent / "apps"
_NEEDED = ("transformers", "torch")
"""Beside Gradio, whose version is the Space's own."""
_BY_TAG = {"text-classification": "classification", "question-answering": "answers"}


@dataclass(frozen=True)
class Wish:
    """What Space is wanted."""

    repo: str
    """``user/name`` of the Space."""
    model: str = ""
    """The published model; empty is that of the same name."""
    public: bool = False
    """Whether everybody may see it; a new one is private otherwise, and one that is public is refused."""
    dry_run: bool = False
    """Show every file, without a network."""


def make_space(run: Run, task: str, wish: Wish) -> None:
    """Push the page of a finished model, which is published, in one commit; or show what would be pushed.

    Args:
        run: the run that the model is of.
        task: a task, dpo or grpo, or nothing for the pre-trained model.
        wish: names, and who may see it.

    Raises:
        GroundupError: when a name, the model, the token or the Hub stand against it.
    """
    check_name(wish.repo)
    model = wish.model or wish.repo
    check_name(model)
    stage = stage_named(run, task)
    check_finished(run, stage)
    facts, to = Facts(run, stage), Destination(wish.repo, wish.public, "space")
    message = f"{run.recipe.name}: a page for {model}"
    if wish.dry_run:
        send(space_files(facts, model, "main"), to, dry_run=True, message=message)
        return
    check_permission(wish.repo, wish.public, "space")
    published = _published(model)
    send(space_files(facts, model, published.sha), to, dry_run=False, message=message)
    if published.private:
        print(f"{model} is private: give the Space a secret HF_TOKEN that may read it, in its settings")


def space_files(facts: Facts, model: str, revision: str) -> Uploads:
    """``app.py``, what it is told, what it needs and the card.

    Args:
        facts: of the finished stage.
        model: the published model's name.
        revision: its commit; the page stays with it, whatever is pushed there later.

    Raises:
        GroundupError: for a model that there is no page for.
    """
    app, told = _page(facts)
    title = model.rpartition("/")[2]
    settings = {"model": model, "revision": revision, "title": title, **told}
    needed = "".join(f"{name}=={version(name).partition('+')[0]}\n" for name in _NEEDED)
    return {
        CARD: space_card(title, model).encode(),
        "app.py": (_APPS / f"{app}.py").read_bytes(),
        "requirements.txt": needed.encode(),
        "settings.json": (json.dumps(settings, indent=2, ensure_ascii=False) + "\n").encode(),
    }


def space_card(title: str, model: str) -> str:
    """The README of a Space: what the Hub starts it by, and where the model is.

    Raises:
        GroundupError: when the metadata reads back changed.
    """
    metadata = SpaceCardData(
        title=title,
        sdk="gradio",
        sdk_version=version("gradio"),
        app_file="app.py",
        models=[model],
        tags=["groundup"],
        pinned=False,
    )
    body = f"Try [{escaped(model)}]({address(f'{ENDPOINT}/{model}')}). Its card says what it was made of.\n"
    card = SpaceCard(f"---\n{metadata.to_yaml()}\n---\n\n# {escaped(title)}\n\n{body}")
    if card.data.to_dict() != metadata.to_dict():
        raise GroundupError("the Space's card", "its metadata reads back changed", "report this as a bug")
    return str(card)


def _page(facts: Facts) -> tuple[str, dict[str, Any]]:
    """Which page shows the model, and what it is told."""
    if facts.brings_code:
        raise GroundupError(
            f"family {facts.config['model_type']}",
            "its code lies beside its weights, and the pages run none of that",
            "publish the model alone",
        )
    if facts.chats:
        return "chat", {"instruction": facts.instruction}
    if facts.task is None:
        return "continuation", {"prompt": facts.prompt}
    task = task_named(facts.task_name, facts.made_by)
    prompts = task.prompts(facts.made_by, facts.reads)
    if prompts:
        placeholders = (
            "Placeholders such as %(name)s: write {1}, {2}, …" if task.pipeline_tag == "translation" else ""
        )
        fields = [field for field, ask in task.asks.items() if not ask.choices]
        return "writing", {"prompts": prompts, "fields": fields, "reads": facts.reads, "note": placeholders}
    if task.pipeline_tag in _BY_TAG:
        told = {"fields": list(task.asks), "longest_answer": LONGEST_ANSWER}
        return _BY_TAG[task.pipeline_tag], told
    raise GroundupError(f"task '{facts.task_name}'", "there is no page for it", "publish the model alone")


def _published(model: str) -> Any:
    """What the Hub says of the model."""
    found = repository(model, "model", "read")
    if found is None:
        raise GroundupError(
            model,
            "there is no such model on the Hub, so the Space would have none to show",
            f"publish it first (groundup publish --repo {model}), or name another with --model-repo",
        )
    return found
