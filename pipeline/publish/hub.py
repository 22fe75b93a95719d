"""The push to the Hugging Face Hub: what goes up, and what is checked before."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id

from pipeline.artifacts import MANIFEST, METRICS
from pipeline.errors import GroundupError, first_line
from pipeline.publish.card import model_card
from pipeline.publish.data_sources import without_directories
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
)
"""Files of a stage that go up, beside its card and manifest; predictions, logs and checkpoints stay."""

_MAY_PASS = frozenset({409, 412, 429, 500, 502, 503, 504})
"""Statuses after which a request is made again: another commit came between, too many requests, out of order."""
_WAITS, _LONGEST_WAIT = (1.0, 2.0, 4.0, 8.0), 120.0
"""Seconds between tries, and the longest that the Hub may ask for."""
T = TypeVar("T")

Uploads = dict[str, Path | bytes]
"""What goes up, by its name in the repository: a file of the run, or content made for the purpose."""


def publish(run: Run, task: str, repo: str, public: bool, dry_run: bool) -> None:
    """Push a finished model with its card in one commit, or show what would be pushed.

    The run's directory is not changed.

    Args:
        run: the run to take the model from.
        task: a task, dpo or grpo, or nothing for the pre-trained model.
        repo: ``user/name`` on the Hub.
        public: whether everybody may read it; a new repository is private otherwise, and one that is public is refused.
        dry_run: print the card and every file with its size; needs neither a token nor a network.

    Raises:
        GroundupError: when the name, the model, the token or the Hub stand against it.
    """
    _check_name(repo)
    if task == "all":
        raise GroundupError("--task all", "a repository holds one model", "publish one task at a time")
    stage = run.stage_of(task) if task else "pretrain"
    uploads = _uploads(run, stage, repo)
    if dry_run:
        _show(uploads, repo)
        return
    if huggingface_hub.get_token() is None:
        raise GroundupError(
            "the Hub", "there is no access token", "sign in with hf auth login, or set HF_TOKEN"
        )
    print(f"published: {_push(uploads, repo, public, f'{run.recipe.name}: {stage}')}")


def _check_name(repo: str) -> None:
    remedy = "use REPO=user/name (make) or --repo user/name: letters, digits, '-', '_' and '.'"
    if not repo:
        raise GroundupError("--repo", "no repository is named", remedy)
    if repo.count("/") != 1:
        raise GroundupError(f"--repo {repo}", "it is not of the form user/name", remedy)
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise GroundupError(f"--repo {repo}", f"no valid name ({first_line(error)})", remedy) from None


def _uploads(run: Run, stage: str, repo: str) -> Uploads:
    artifact = run.artifact(stage)
    manifest = artifact.manifest()
    if not manifest.get("complete"):
        what = "it has not been finished" if manifest else "there is no such model yet"
        raise GroundupError(str(artifact.path), what, f"run {_maker(stage)} first")
    files = {name: artifact.path / name for name in sorted(manifest["files"]) if _goes_up(name)}
    if not any(name.endswith(".safetensors") for name in files):
        raise GroundupError(str(artifact.path), "the stage holds no weights", f"run {_maker(stage)} again")
    for name, file in files.items():
        _check_whole(file, manifest["files"][name]["sha256"], stage)
    public = json.dumps(without_directories(manifest), indent=2, ensure_ascii=False) + "\n"
    return {CARD: model_card(run, stage, repo).encode(), **files, MANIFEST: public.encode()}


def _goes_up(name: str) -> bool:
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


def _show(uploads: Uploads, repo: str) -> None:
    card = uploads[CARD]
    assert isinstance(card, bytes)
    print(card.decode())
    sizes = {name: len(c) if isinstance(c, bytes) else c.stat().st_size for name, c in uploads.items()}
    print(f"{len(sizes)} files for {repo}, {sum(sizes.values()):,} bytes; nothing has been pushed:")
    for name, size in sizes.items():
        print(f"  {size:>15,}  {name}")


def _push(uploads: Uploads, repo: str, public: bool, message: str) -> str:
    """Create the repository where there is none and commit; returns its address and who may read it.

    Each request is made again for a while where the Hub is busy or out of order. What has arrived is not sent again.
    """
    api = HfApi()
    try:
        url = _patiently(lambda: api.create_repo(repo, private=not public, exist_ok=True))
        private = _patiently(lambda: api.model_info(repo)).private
        if not public and not private:
            raise GroundupError(
                repo,
                "the repository is there already, and everybody can read it",
                "add --public, make it private, or take another",
            )
        present = _patiently(lambda: api.list_repo_files(repo))
        stale = [n for n in present if _goes_up(n) and n not in uploads]
        additions = [
            CommitOperationAdd(path_in_repo=n, path_or_fileobj=content) for n, content in uploads.items()
        ]
        deletions = [CommitOperationDelete(path_in_repo=name) for name in stale]
        operations = [*additions, *deletions]
        _patiently(lambda: api.create_commit(repo, operations=operations, commit_message=message))
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        raise _explained(error, repo) from error
    return f"{url} ({'private' if private else 'public'})"


def _patiently(ask: Callable[[], T]) -> T:
    """What a request gives, made again after a wait that grows, or that the Hub names, while what fails may pass."""
    for wait in _WAITS:
        try:
            return ask()
        except HTTPError as error:
            answer = error.response if isinstance(error, HfHubHTTPError) else None
            if answer is not None and answer.status_code not in _MAY_PASS:
                raise
            named = "" if answer is None else answer.headers.get("Retry-After", "")
            time.sleep(min(float(named), _LONGEST_WAIT) if named.isdigit() else wait)
    return ask()


def _explained(error: BaseException, repo: str) -> GroundupError:
    """An error of the client, or of the upload threads below it, in our words."""
    causes = list(_causes(error))
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes):
        return GroundupError(
            repo, "the Hub is switched off", "unset HF_HUB_OFFLINE and run the command again"
        )
    answer = next((c.response for c in causes if isinstance(c, HfHubHTTPError)), None)
    if answer is None:
        remedy = "check the network (and HF_ENDPOINT), then run the same command again"
        return GroundupError(repo, f"the push failed ({first_line(causes[-1])[:200]})", remedy)
    if answer.status_code in (401, 403):
        remedy = f"sign in with hf auth login, or set HF_TOKEN, with a token that may write to {repo}"
        return GroundupError(repo, f"the Hub refuses the token (status {answer.status_code})", remedy)
    return GroundupError(
        repo, f"the Hub answers with status {answer.status_code}", "run the same command again later"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__  # type: ignore[assignment]  # None ends the loop
