"""The push to the Hugging Face Hub: what goes up, and what is checked before."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from pipeline.artifacts import MANIFEST, METRICS
from pipeline.errors import GroundupError, first_line
from pipeline.hub.asking import asked
from pipeline.model import history
from pipeline.publish.adapters import adapter_files, base_of, has_adapter
from pipeline.publish.card import model_card
from pipeline.publish.data_sources import without_directories
from pipeline.publish.permission import (
    KEPT,
    WRITE,
    Kind,
    check_metadata,
    check_name,
    check_permission,
    check_token,
    check_visible,
)
from pipeline.stages import Run, method_of, stage_of, task_of

CARD = "README.md"
PATTERNS = (
    "*config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer.model",
    "vocab.*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    METRICS,
    *history.CODE,
)
"""Files of a stage that go up, beside its card and manifest; predictions, logs and checkpoints stay."""

T = TypeVar("T")

Form = Literal["auto", "adapter", "model"]

Uploads = dict[str, Path | bytes]
"""What goes up, by its name in the repository: a file of the run, or content made for the purpose."""


@dataclass(frozen=True)
class Destination:
    """A repository of the Hub."""

    repo: str
    public: bool
    """Whether everybody may read it; a new repository is private otherwise, and one that is public is refused."""
    kind: Kind = "model"


@dataclass(frozen=True)
class Wish:
    """Which of a stage's models goes up."""

    form: Form = "auto"
    """adapter: alone. model: whole, with the adapter merged into it. auto: whole where the stage holds that."""
    base: str = ""
    """The Hub's name of the model that an adapter stands on; empty takes the one that it was trained on."""


def publish(
    run: Run,
    task: str,
    to: Destination,
    dry_run: bool,
    wish: Wish = Wish(),
) -> None:
    """Push a finished model with its card in one commit, or show what would be pushed.

    The run's directory is not changed.

    Args:
        run: the run to take the model from.
        task: a task, dpo or grpo, or nothing for the pre-trained model.
        to: where it goes.
        dry_run: print the card and every file with its size; needs neither a token nor a network.
        wish: whole, or an adapter alone.

    Raises:
        GroundupError: when the name, the model, the token or the Hub stand against it.
    """
    check_name(to.repo)
    stage = stage_named(run, task)
    send(_uploads(run, stage, to.repo, wish), to, dry_run, f"{run.recipe.name}: {stage}")


def check_ahead(run: Run, task: str, repo: str, public: bool) -> None:
    """Refuse before the first stage begins what ``publish`` would refuse after the last.

    Raises:
        GroundupError: when the recipe makes no such model, or the name, the token or the Hub stand against it.
    """
    run.chain(stage_named(run, task))
    check_permission(repo, public)
    check_metadata(repo, run.recipe.language)


def stage_named(run: Run, task: str) -> str:
    """The stage of a task, or of pre-training; one at a time."""
    if task == "all":
        raise GroundupError("--task all", "a repository holds one model", "publish one task at a time")
    return run.stage_of(task) if task else "pretrain"


def _uploads(run: Run, stage: str, repo: str, wish: Wish) -> Uploads:
    check_finished(run, stage)
    artifact = run.artifact(stage)
    manifest = artifact.manifest()
    names = [name for name in sorted(manifest["files"]) if goes_up(name)]
    weights = {name for name in names if ".safetensors" in name}
    alone = wish.form == "adapter" or (wish.form == "auto" and not weights and has_adapter(artifact))
    if alone and not has_adapter(artifact):
        raise GroundupError(str(artifact.path), "it holds no adapter", "publish it as a model: --form model")
    if not alone and not weights:
        maker = "groundup merge" if has_adapter(artifact) else f"{_maker(stage)} again"
        raise GroundupError(str(artifact.path), "the stage holds no weights", f"run {maker}")
    base = base_of(artifact, wish.base) if alone else ""
    whole = {name: artifact.path / name for name in names if not (alone and name in weights)}
    files: Uploads = {**whole, **(adapter_files(artifact, base) if alone else {})}
    for file in files.values():
        if isinstance(file, Path):
            _check_whole(file, manifest["files"][str(file.relative_to(artifact.path))]["sha256"], stage)
    public = json.dumps(without_directories(manifest), indent=2, ensure_ascii=False) + "\n"
    return {CARD: model_card(run, stage, repo, base).encode(), **files, MANIFEST: public.encode()}


def check_finished(run: Run, stage: str) -> None:
    """Refuse a stage that has not ended.

    Raises:
        GroundupError: naming the command that ends it.
    """
    artifact = run.artifact(stage)
    manifest = artifact.manifest()
    if not manifest.get("complete"):
        what = "it has not been finished" if manifest else "there is no such model yet"
        raise GroundupError(str(artifact.path), what, f"run {_maker(stage)} first")


def goes_up(name: str) -> bool:
    """Whether a file of a stage belongs to its model."""
    return "/" not in name and any(fnmatch.fnmatch(name, pattern) for pattern in PATTERNS)


def _maker(stage: str) -> str:
    task = task_of(stage)
    if not task:
        return "groundup align" if method_of(stage) else f"groundup {stage}"
    verb = f"groundup finetune --task {task}"
    return verb if stage == stage_of(task) else f"{verb} --adapter {stage.rpartition('/')[2]}"


def _check_whole(file: Path, checksum: str, stage: str) -> None:
    """Refuse a file that is not the one the stage wrote."""
    remedy = f"delete {file.parent} and run {_maker(stage)} again"
    if not file.is_file():
        raise GroundupError(str(file), "the file is gone", remedy)
    with file.open("rb") as handle:
        if hashlib.file_digest(handle, "sha256").hexdigest() != checksum:
            raise GroundupError(str(file), "its checksum is not that of the finished stage", remedy)


def send(uploads: Uploads, to: Destination, dry_run: bool, message: str) -> None:
    """Push in one commit and say where to, or show what would be pushed.

    Args:
        uploads: the files.
        to: where they go.
        dry_run: print the card and every file with its size; needs neither a token nor a network.
        message: of the commit.

    Raises:
        GroundupError: when the token or the Hub stand against it.
    """
    if dry_run:
        _show(uploads, to.repo)
        return
    check_token()
    print(f"published: {push(uploads, to, message)}")


def _show(uploads: Uploads, repo: str) -> None:
    card = uploads[CARD]
    assert isinstance(card, bytes)
    print(card.decode())
    sizes = {name: len(c) if isinstance(c, bytes) else c.stat().st_size for name, c in uploads.items()}
    print(f"{len(sizes)} files for {repo}, {sum(sizes.values()):,} bytes; nothing has been pushed:")
    for name, size in sizes.items():
        print(f"  {size:>15,}  {name}")


def push(uploads: Uploads, to: Destination, message: str) -> str:
    """Create the repository where there is none and commit; returns its address and who may read it.

    Model files that are there and not among the uploads are deleted, other files stay. Each request is made again for
    a while where the Hub is busy or out of order. What has arrived is not sent again.

    Raises:
        GroundupError: when the Hub refuses, or the repository is public and nobody asked for that.
    """
    api, repo, kind = HfApi(), to.repo, to.kind

    def ask(request: Callable[[], T]) -> T:
        try:
            return asked(repo, request, WRITE, KEPT)
        except (RuntimeError, ValueError) as error:
            what = f"the client refuses the push ({first_line(error)[:200]})"
            raise GroundupError(repo, what, "mend that and run the same command again") from error

    url = ask(lambda: _created(api, to))
    private = bool(ask(lambda: api.repo_info(repo, repo_type=kind)).private)
    check_visible(repo, private, to.public)

    def commit() -> None:
        there = api.list_repo_files(repo, repo_type=kind)
        stale = [name for name in there if goes_up(name) and name not in uploads]
        additions = [
            CommitOperationAdd(path_in_repo=n, path_or_fileobj=content) for n, content in uploads.items()
        ]
        deletions = [CommitOperationDelete(path_in_repo=name) for name in stale]
        api.create_commit(repo, operations=[*additions, *deletions], commit_message=message, repo_type=kind)

    ask(commit)  # which looks anew at what is there: a commit may have been made whose answer did not come
    return f"{url} ({'private' if private else 'public'})"


def _created(api: HfApi, to: Destination) -> str:
    sdk = {"space_sdk": "gradio"} if to.kind == "space" else {}
    return str(api.create_repo(to.repo, repo_type=to.kind, private=not to.public, exist_ok=True, **sdk))
