"""A stand-in for the Hugging Face Hub: the endpoints that push and load models and stream data sets.

It keeps everything in memory and speaks the LFS way of uploading, not Xet: clients set
``HF_HUB_DISABLE_XET=1`` (``Hub.environment``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml  # type: ignore[import-untyped]  # it has no types of its own

from tests.hub_store import TOKEN, Blob, Fault, Hub, Ill, Repository, entries

LFS_SUFFIXES = (".safetensors", ".bin", ".gguf")
LFS_BYTES = 1_000_000
"""Larger files go up through LFS whatever their name is."""


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A running stand-in Hub on a free port of this machine."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class RefusedError(Exception):
    """An answer other than 200, with the Hub's error headers."""

    def __init__(self, status: HTTPStatus, code: str = "", message: str = "", **headers: str) -> None:
        super().__init__(message or status.phrase)
        self.status = status
        self.headers = {"X-Error-Code": code, "X-Error-Message": message or status.phrase, **headers}


Action = Callable[["Handler", re.Match[str]], None]
ROUTES: list[tuple[str, re.Pattern[str], Action]] = []


def route(method: str, pattern: str) -> Callable[[Action], Action]:
    """Decorator: the handler of a method and a pattern over the whole path.

    In the pattern REPO stands for user/name, and KIND for models, datasets or spaces.
    """
    pattern = pattern.replace("KIND", "(?P<kind>models|datasets|spaces)")
    whole = re.compile(pattern.replace("REPO", r"(?P<repo>[\w.-]+/[\w.-]+)"))

    def register(action: Action) -> Action:
        ROUTES.append((method, whole, action))
        return action

    return register


class Handler(BaseHTTPRequestHandler):
    """One request of a client."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep the tests' output quiet; ``Hub.requests`` is the log."""

    def handle_any(self) -> None:
        """Find the route of the request and answer."""
        path = unquote(urlsplit(self.path).path)
        self.body = self._read()
        request = f"{self.command} {path}"
        said = urlsplit(self.path).query + self.body[:10_000].decode(errors="replace")
        with self.hub.lock:
            fails = request not in self.hub.requests
            self.hub.requests.append(request)
            fault = next(self.hub.faults, HTTPStatus.OK) if fails else HTTPStatus.OK
            fault = Ill.CUT if fault is None else self.hub.fault_of(request, said) or fault
            try:
                if isinstance(fault, HTTPStatus) and fault != HTTPStatus.OK:
                    raise RefusedError(fault, **{"Retry-After": "0"})
                if fault not in (Ill.CUT, Ill.SILENT):
                    self._action(path)
            except RefusedError as refusal:
                self.answer(json.dumps({"error": str(refusal)}).encode(), refusal.status, refusal.headers)
        with suppress(OSError):  # the client has gone
            self._send(fault)

    def _send(self, fault: Fault) -> None:
        """The answer, as well as the fault lets it go."""
        self.close_connection = self.close_connection or isinstance(fault, Ill)
        if fault is Ill.SILENT:
            time.sleep(self.hub.silence)
        if fault in (Ill.CUT, Ill.SILENT):
            return
        self.end_headers()
        if fault is Ill.HALF:
            self.wfile.write(self.content[: len(self.content) // 2])
        elif fault is Ill.FLIPPED:
            self.wfile.write(bytes(byte ^ 1 for byte in self.content))
        elif fault is Ill.TRICKLE:
            for byte in self.content:
                self.wfile.write(bytes([byte]))
                time.sleep(self.hub.silence / 10)
        else:
            self.wfile.write(self.content)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815  # the names that the base class calls

    def _action(self, path: str) -> None:
        method = "GET" if self.command == "HEAD" else self.command
        for wanted, pattern, action in ROUTES:
            match = pattern.fullmatch(path)
            if wanted == method and match:
                return action(self, match)
        raise RefusedError(HTTPStatus.NOT_FOUND, message=f"the stand-in has no {self.command} {path}")

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(
        self, content: bytes, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
    ) -> None:
        """Make an answer ready; to HEAD, its headers alone."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.content = b"" if self.command == "HEAD" else content

    def answer_json(self, value: Any) -> None:
        self.answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})

    def json(self) -> Any:
        return json.loads(self.body)

    def queried(self, name: str) -> str:
        """A value of the query, empty where it has none."""
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    def signed_in(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def require_write(self) -> None:
        """Refuse who has no valid token, and everybody while writes are refused."""
        if not self.signed_in():
            raise RefusedError(HTTPStatus.UNAUTHORIZED, message="Invalid credentials in Authorization header")
        if self.hub.refuse_writes:
            raise RefusedError(self.hub.refuse_writes)
        if self.hub.role == "read":
            raise RefusedError(HTTPStatus.FORBIDDEN, message="You don't have the rights required")

    def repository(self, match: re.Match[str]) -> Repository:
        """The repository of the path; private ones do not exist for strangers."""
        kept = self.hub.kept(match.groupdict().get("kind") or "models")
        found = kept.get(match["repo"])
        if found is None or (found.private and not self.signed_in()):
            raise RefusedError(HTTPStatus.NOT_FOUND, "RepoNotFound", "Repository not found")
        return found

    def commit(self, match: re.Match[str]) -> tuple[str, dict[str, Blob]]:
        """Id and files of the path's revision, ``main`` where it names none."""
        found = self.repository(match).at(match.groupdict().get("revision") or "main")
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "RevisionNotFound", "Invalid rev id")
        return found


@route("GET", "/api/whoami-v2")
def whoami(request: Handler, _: re.Match[str]) -> None:
    if not request.signed_in():
        raise RefusedError(HTTPStatus.UNAUTHORIZED, message="Invalid credentials in Authorization header")
    scope = {"entity": {"type": "user", "name": request.hub.granted}, "permissions": ["repo.write"]}
    token = {"displayName": "stand-in", "role": request.hub.role, "fineGrained": {"scoped": [scope]}}
    orgs = [{"type": "org", "name": name, "roleInOrg": role} for name, role in request.hub.orgs.items()]
    auth = {"type": "access_token", "accessToken": token}
    request.answer_json({"type": "user", "name": "user", "orgs": orgs, "auth": auth})


@route("GET", "/api/KIND/REPO/auth-check/write")
def auth_check(request: Handler, match: re.Match[str]) -> None:
    request.repository(match)
    request.require_write()
    request.answer_json({})


@route("POST", "/api/repos/create")
def create_repository(request: Handler, _: re.Match[str]) -> None:
    request.require_write()
    wanted = request.json()
    name = f"{wanted.get('organization') or 'user'}/{wanted['name']}"
    kind = wanted.get("type") or "model"
    kept = request.hub.kept(f"{kind}s")
    below = "" if kind == "model" else f"{kind}s/"
    answer = {"url": f"{request.hub.url}/{below}{name}", "name": name}
    if kind == "space" and wanted.get("sdk") != "gradio":
        raise RefusedError(HTTPStatus.BAD_REQUEST, message="a Space needs an SDK")
    if name in kept:
        refusal = {"error": "You already created this repo", **answer}
        request.answer(json.dumps(refusal).encode(), HTTPStatus.CONFLICT)
        return
    repository = Repository(private=wanted.get("visibility") == "private")
    repository.commit(
        {".gitattributes": Blob(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n", lfs=False)}
    )
    kept[name] = repository
    request.answer_json(answer)


@route("POST", "/api/validate-yaml")
def validate_yaml(request: Handler, _: re.Match[str]) -> None:
    parts = request.json()["content"].split("---\n", 2)
    try:
        metadata = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError as error:
        metadata = str(error)
    problems = [] if isinstance(metadata, dict) else [{"message": f"metadata is no mapping: {metadata}"}]
    said = metadata.get("language") or () if isinstance(metadata, dict) else ()
    for code in [said] if isinstance(said, str) else said:
        if not re.fullmatch("[a-z]{2,3}|code|multilingual", code):
            problems.append(
                {"message": f'"language" with value "{code}" is not valid. It must be an ISO 639 code'}
            )
    status = HTTPStatus.BAD_REQUEST if problems else HTTPStatus.OK
    request.answer(json.dumps({"errors": problems, "warnings": []}).encode(), status)


@route("POST", "/api/KIND/REPO/preupload/(?P<revision>[^/]+)")
def preupload(request: Handler, match: re.Match[str]) -> None:
    request.require_write()
    _, present = request.commit(match)
    answers = []
    for file in request.json()["files"]:
        large = file["path"].endswith(LFS_SUFFIXES) or file["size"] > LFS_BYTES
        known = present.get(file["path"])
        answers.append(
            {
                "path": file["path"],
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": False,
                "oid": None if known is None else known.sha256 if known.lfs else known.oid,
            }
        )
    request.answer_json({"files": answers})


@route("POST", r"/REPO\.git/info/lfs/objects/batch")
def lfs_batch(request: Handler, match: re.Match[str]) -> None:
    request.require_write()
    request.repository(match)
    answers = []
    for wanted in request.json()["objects"]:
        answer = {"oid": wanted["oid"], "size": wanted["size"]}
        if (match["repo"], wanted["oid"]) not in request.hub.objects:
            actions = {
                step: {"href": f"{request.hub.url}/lfs/{step}/{wanted['oid']}?repo={match['repo']}"}
                for step in ("upload", "verify")
            }
            answer["actions"] = actions
        answers.append(answer)
    request.answer_json({"transfer": "basic", "objects": answers})


@route("PUT", "/lfs/upload/(?P<oid>[0-9a-f]{64})")
def lfs_upload(request: Handler, match: re.Match[str]) -> None:
    if hashlib.sha256(request.body).hexdigest() != match["oid"]:
        raise RefusedError(HTTPStatus.BAD_REQUEST, message="the content is not that of its checksum")
    request.hub.objects[request.queried("repo"), match["oid"]] = request.body
    request.answer(b"")


@route("POST", "/lfs/verify/(?P<oid>[0-9a-f]{64})")
def lfs_verify(request: Handler, match: re.Match[str]) -> None:
    request.require_write()
    if len(request.hub.objects.get((request.queried("repo"), match["oid"]), b"")) != request.json()["size"]:
        raise RefusedError(HTTPStatus.NOT_FOUND, message="the object has not arrived")
    request.answer_json({})


@route("POST", "/api/KIND/REPO/commit/(?P<revision>[^/]+)")
def create_commit(request: Handler, match: re.Match[str]) -> None:
    request.require_write()
    repository = request.repository(match)
    files = dict(request.commit(match)[1])
    for line in request.body.splitlines():
        operation = json.loads(line)
        _apply(files, operation["key"], operation["value"], _objects(request.hub, match["repo"]))
    commit = repository.commit(files)
    url = f"{request.hub.url}/{match['repo']}/commit/{commit}"
    request.answer_json({"success": True, "commitOid": commit, "commitUrl": url, "pullRequestUrl": None})


def _objects(hub: Hub, repo: str) -> dict[str, bytes]:
    return {oid: content for (of, oid), content in hub.objects.items() if of == repo}


def _apply(files: dict[str, Blob], key: str, value: dict[str, Any], objects: dict[str, bytes]) -> None:
    """One line of a commit: a file, an LFS file, a deletion, or the header."""
    try:
        if key == "file":
            files[value["path"]] = Blob(base64.b64decode(value["content"], validate=True), lfs=False)
        elif key == "lfsFile":
            files[value["path"]] = Blob(objects[value["oid"]], lfs=True)
        elif key == "deletedFile":
            del files[value["path"]]
        elif key != "header":
            raise RefusedError(HTTPStatus.BAD_REQUEST, message=f"the stand-in knows no '{key}'")
    except (KeyError, binascii.Error) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, message=f"{key}: {error}") from None


@route("GET", "/api/KIND/REPO(/revision/(?P<revision>[^/]+))?")
def info(request: Handler, match: re.Match[str]) -> None:
    commit, files = request.commit(match)
    siblings = [{"rfilename": name} for name in sorted(files)]
    private = request.repository(match).private
    request.answer_json({"id": match["repo"], "sha": commit, "private": private, "siblings": siblings})


@route("GET", "/api/KIND/REPO/tree/(?P<revision>[^/]+)(/(?P<below>.+))?")
def tree(request: Handler, match: re.Match[str]) -> None:
    _, files = request.commit(match)
    found = entries(files, match["below"] or "", request.queried("recursive").lower() == "true")
    if match["below"] and not found:
        raise RefusedError(HTTPStatus.NOT_FOUND, "EntryNotFound", "no such folder")
    request.answer_json(found)


@route("POST", "/api/KIND/REPO/paths-info/(?P<revision>[^/]+)")
def paths_info(request: Handler, match: re.Match[str]) -> None:
    _, files = request.commit(match)
    wanted = parse_qs(request.body.decode())["paths"]
    request.answer_json([files[path].entry(path) for path in wanted if path in files])


@route("GET", "/((?P<kind>datasets)/)?REPO/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(request: Handler, match: re.Match[str]) -> None:
    commit, files = request.commit(match)
    blob = files.get(match["path"])
    if blob is None:
        raise RefusedError(
            HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found", **{"X-Repo-Commit": commit}
        )
    etag = blob.sha256 if blob.lfs else blob.oid
    linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(blob.content))} if blob.lfs else {}
    headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', **linked}
    part = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if part is None:
        request.answer(blob.content, headers=headers)
        return
    size = len(blob.content)
    first, last = int(part[1]), min(int(part[2] or size), size - 1)
    headers |= {"Content-Range": f"bytes {first}-{last}/{size}"}
    request.answer(blob.content[first : last + 1], HTTPStatus.PARTIAL_CONTENT, headers)
