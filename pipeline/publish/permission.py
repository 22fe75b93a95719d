"""Whether a model may go to a repository of the Hub: asked before what takes long, not after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import huggingface_hub
from huggingface_hub import HfApi, ModelCard, ModelCardData
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

from pipeline.errors import GroundupError, first_line
from pipeline.hub.asking import asked

Kind = Literal["model", "dataset", "space"]
"""Of repositories."""
WRITE = "write to"
KEPT = "what has arrived is not sent again"


def check_name(repo: str) -> None:
    """Refuse what is no name of a repository.

    Raises:
        GroundupError: when it is none.
    """
    remedy = "use REPO=user/name (make), --repo or --push user/name: letters, digits, '-', '_' and '.'"
    where = f"the repository '{repo}'"
    if not repo:
        raise GroundupError("--repo", "no repository is named", remedy)
    if repo.count("/") != 1:
        raise GroundupError(where, "it is not of the form user/name", remedy)
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise GroundupError(where, f"no valid name ({first_line(error)})", remedy) from None


def check_token() -> None:
    """Refuse to go on without a token.

    Raises:
        GroundupError: when there is none.
    """
    if huggingface_hub.get_token() is None:
        raise GroundupError(
            "the Hub", "there is no access token", "sign in with hf auth login, or set HF_TOKEN"
        )


def check_visible(repo: str, private: bool, public: bool) -> None:
    """Refuse to show the world what nobody asked to.

    Raises:
        GroundupError: when a repository that is there is public, and ``--public`` was not said.
    """
    if not public and not private:
        raise GroundupError(
            repo,
            "the repository is there already, and everybody can read it",
            "add --public, make it private, or take another",
        )


def repository(repo: str, kind: Kind, right: str) -> Any:
    """What the Hub says of a repository; None where there is none that the token may see.

    Raises:
        GroundupError: when it cannot be asked.
    """

    def info() -> Any:
        try:
            return HfApi().repo_info(repo, repo_type=kind)
        except RepositoryNotFoundError:
            return None

    return asked(repo, info, right, KEPT)


def check_permission(repo: str, public: bool, kind: Kind = "model") -> None:
    """Refuse a push that the Hub would refuse, without changing anything there.

    Args:
        repo: ``user/name`` on the Hub, there already or not.
        public: whether everybody may read it.
        kind: of repository.

    Raises:
        GroundupError: when the name, the token, its rights or the repository's visibility stand against it.
    """
    check_name(repo)
    check_token()
    api = HfApi()
    who = asked(repo, api.whoami, WRITE, KEPT)

    found = repository(repo, kind, WRITE)
    if found is None:
        _check_namespace(repo, who)
        return
    asked(repo, lambda: api.auth_check(repo, repo_type=kind, write=True), WRITE, KEPT)
    check_visible(repo, bool(found.private), public)


def check_metadata(repo: str, language: str) -> None:
    """Refuse a language that the Hub does not take, by its own check of cards.

    Raises:
        GroundupError: when the Hub refuses it, or cannot be asked.
    """
    card = ModelCard(f"---\n{ModelCardData(language=language).to_yaml()}\n---\n")
    try:
        asked(repo, card.validate, WRITE, KEPT)
    except ValueError as error:
        what = f"the Hub takes no such card ({first_line(error)[:200]})"
        raise GroundupError(f"--language {language}", what, "use another code (ISO 639)") from None


def _check_namespace(repo: str, who: Mapping[str, Any]) -> None:
    """Refuse to make a repository where the token's owner, or the token, may not.

    Raises:
        GroundupError: when whoami-v2 says so.
    """
    space = repo.partition("/")[0]
    roles = {org["name"]: org.get("roleInOrg") for org in who.get("orgs", ())}
    if space != who["name"] and space not in roles:
        raise GroundupError(
            repo,
            f"the token is of {who['name']}, who may not write to {space}",
            f"use {who['name']}/{repo.partition('/')[2]}, or a token of {space}",
        )
    remedy = f"make one at {huggingface_hub.constants.ENDPOINT}/settings/tokens that may write to {space}"
    token = who.get("auth", {}).get("accessToken", {})
    if roles.get(space) == "read" or token.get("role") == "read":
        raise GroundupError(repo, "the token may read and not write", remedy)
    if token.get("role") == "fineGrained":
        scopes = token.get("fineGrained", {}).get("scoped", ())
        granted = [p for s in scopes if s["entity"].get("name") == space for p in s["permissions"]]
        if "repo.write" not in granted:
            raise GroundupError(repo, f"the token may not write to {space}", remedy)
