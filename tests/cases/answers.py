"""What a registry without faults answers: documents, and who may see them."""

import base64
import json
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from tests.cases.content import Json
from tests.support.images import DOCKER_LIST, OCI_INDEX

if TYPE_CHECKING:
    from tests.cases.server import Record, Server

Headers = dict[str, Any]
"""By name; a list stands for several lines, None for none."""
Answer = tuple[int, Headers, bytes]

STRAY: Final = "_default"
"""The host that gets every request for a host which the case does not name."""

ROUTE: Final = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)")


def usual(server: "Server", record: "Record") -> Answer:
    """The answer to a request of which no rule says otherwise."""
    world = server.world
    config = world.config[server.host]
    registry = world.token_servers.get((server.host, record.path))
    if registry:
        return _token(server, record, registry)
    match = ROUTE.fullmatch(record.path)
    if not match:
        ping = record.path.rstrip("/") == "/v2" and server.host != STRAY
        return (_refused(server, record, "") or (200, {}, b"{}")) if ping else _error(404, "NOT_FOUND")
    name, what, reference = match.groups()
    refused = _refused(server, record, name)
    if refused:
        return refused
    repository = config["repositories"].get(name)
    if not repository:
        return _error(404, "NAME_UNKNOWN")
    if what == "blobs":
        return _blob(server, repository, reference)
    return _manifest(server, record, repository, reference)


def _manifest(server: "Server", record: "Record", repository: Json, reference: str) -> Answer:
    content = server.world.content
    config = server.world.config[server.host]
    name = repository["tags"].get(reference) or repository["digests"].get(reference)
    if not name or content.digest(name) not in repository["digests"]:
        return _error(404, "MANIFEST_UNKNOWN")
    accepted = {one.partition(";")[0].strip() for line in record.headers.get("accept", []) for one in line.split(",")}
    media_type = content.get(name).content_type
    if config.get("negotiate") and media_type in (OCI_INDEX, DOCKER_LIST) and media_type not in accepted:
        name = repository["digests"].get(_child(json.loads(content.get(name).body)))
        media_type = name and content.get(name).content_type
    if not name or (config.get("strictAccept") and media_type not in accepted):
        return _error(404, "MANIFEST_UNKNOWN", "manifest found, but the Accept header does not support its type")
    headers = {"Content-Type": media_type}
    if config.get("digestHeader", True):
        headers["Docker-Content-Digest"] = content.digest(name)
    return 200, headers, content.get(name).body


def _blob(server: "Server", repository: Json, digest: str) -> Answer:
    name = repository["digests"].get(digest)
    if not name:
        return _error(404, "BLOB_UNKNOWN")
    headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
    return 200, headers, server.world.content.get(name).body


def _child(index: Json) -> str | None:
    """The manifest that a registry hands out to clients which know no indexes: linux/amd64."""
    for entry in index["manifests"]:
        platform = entry.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
            return str(entry["digest"])
    return None


def _refused(server: "Server", record: "Record", name: str) -> Answer | None:
    """The refusal of a request for a repository (empty: for none); None where it may be answered."""
    config = server.world.config[server.host]
    auth = config["auth"]
    if not auth.get("scheme"):
        return None
    repository = config["repositories"].get(name, {})
    public = repository.get("public", False)
    kind, _, proof = record.authorization.partition(" ")
    kind = kind.lower()
    if auth["scheme"] == "basic":
        if not kind and public:
            return None
        pair = basic_pair(proof) if kind == "basic" else None
        if not pair or auth.get("users", {}).get(pair[0]) != pair[1]:
            return _unauthorized(auth, name, auth.get("badCredentials", 401) if kind else 401)
        user: str | None = pair[0]
    else:
        host, user, scopes = server.world.tokens.get(proof if kind == "bearer" else "", ("", None, set()))
        if host != server.host or (name and f"repository:{name}:pull" not in scopes):
            return _unauthorized(auth, name, 401)
    if not name or public or (user is not None and user in repository.get("users", auth.get("users", {}))):
        return None
    status = repository.get("refuse", 401 if user is None else 403)
    return _unauthorized(auth, name, 401) if status == 401 else _error(status, "DENIED")


def _unauthorized(auth: Json, name: str, status: int) -> Answer:
    status, headers, body = _error(status, "UNAUTHORIZED")
    if status == 401:
        scope = f',scope="repository:{name}:pull"' if name else ""
        service = auth.get("service", "registry")
        basic = 'Basic realm="registry"'
        line = basic if auth["scheme"] == "basic" else f'Bearer realm="{auth["realm"]}",service="{service}"{scope}'
        headers["WWW-Authenticate"] = auth.get("challenge", [line])
    return status, headers, body


def _token(server: "Server", record: "Record", registry: str) -> Answer:
    """A token for a registry, asked for by GET, or by POST with a form."""
    world = server.world
    auth = world.config[registry]["auth"]
    kind, _, proof = record.authorization.partition(" ")
    pair = basic_pair(proof) if kind.lower() == "basic" else None
    if record.method == "POST" and record.form.get("username"):
        pair = (record.form["username"][0], record.form.get("password", [""])[0])
    wrong_user = pair is not None and auth.get("users", {}).get(pair[0]) != pair[1]
    if wrong_user or (kind and kind.lower() != "basic"):
        return _error(auth.get("badCredentials", 401), "UNAUTHORIZED")
    if pair is None and not auth.get("anonymous", True):
        return _error(401, "UNAUTHORIZED")
    asked = record.query.get("scope", []) + record.form.get("scope", [])
    scopes = {
        f"{part.rpartition(':')[0]}:{action}"
        for scope in asked
        for part in scope.split()
        for action in part.rpartition(":")[2].split(",")
    }
    token = "token-" + secrets.token_hex(8)
    world.tokens[token] = (registry, pair and pair[0], scopes)
    shape = auth.get("token", {})
    body: Json = {field: "" if shape.get("empty") else token for field in shape.get("fields", ["token"])}
    if shape.get("expires_in", 300) is not None:
        body["expires_in"] = shape.get("expires_in", 300)
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _error(status: int, code: str, message: str = "") -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": message or code.lower()}]}).encode()
    return status, {"Content-Type": "application/json"}, body


def basic_pair(text: str) -> tuple[str, str] | None:
    """User name and password of Basic credentials; None where they are none."""
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password
