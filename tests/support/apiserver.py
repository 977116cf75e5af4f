"""A small API server on loopback: lists in pages, watches with bookmarks, tokens, permissions, and faults on demand.

It keeps the protocol's rules that a client can trip over: a watch begins after the version that it names and gets 410
where that is older than what is kept; a continue token dies with a compaction; refusals are Status objects.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.jsonpatch import patched
from tests.support.resources import CONFIGURATIONS, GROUPS, KINDS, PLURALS


@dataclass
class Fault:
    """One answer instead of the real one. `status` 0: the connection is cut without an answer; `done`: what was asked
    for is done all the same; `text`: what is answered, instead of a Status."""

    status: int
    message: str = "made to fail"
    headers: Mapping[str, str] = field(default_factory=dict)
    done: bool = False
    text: str | None = None


class ApiServer:
    """State, faults and a log of requests. `url` is set while it runs."""

    def __init__(self) -> None:
        self.url = ""
        self.token = ""
        self.forbidden: set[str] = set()  # "list nodes", "get secrets"
        self.absent = {"nodepools"}  # APIs that are not served
        self.requests: list[str] = []  # "list nodes", "watch nodes 12", "get secrets team/a"
        self.faults: dict[str, list[Fault]] = {}  # by "list nodes" and so on, in turn
        self.turns: Callable[[web.Request], Awaitable[None]] | None = None  # waits for a request's turn
        self.gate = asyncio.Event()  # closed: answers wait
        self.gate.set()
        self._held: dict[str, asyncio.Event] = {}
        self.discovery = asyncio.Event()  # closed: only discovery waits
        self.discovery.set()
        self.limits: list[int] = []  # of the lists, in order
        self.compact_between_pages = False
        self.goes_on = False  # a list whose token is too old is given a new one
        self._version = itertools.count(1)
        self.version = 0
        self._oldest = 0
        self._objects: dict[str, dict[str, dict[str, Any]]] = {plural: {} for plural in (*PLURALS, CONFIGURATIONS)}
        self._events: list[tuple[int, str, dict[str, Any]]] = []
        self._changed = asyncio.Event()
        self._watches: set[web.StreamResponse] = set()
        self._ending: set[web.StreamResponse] = set()

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def count(self, prefix: str) -> int:
        """How many requests of this kind there were."""
        return sum(request.startswith(prefix) for request in self.requests)

    def put(self, plural: str, obj: dict[str, Any]) -> None:
        """Create or update an object; watches see it."""
        key = _key(obj)
        kind = "MODIFIED" if key in self._objects[plural] else "ADDED"
        self._record(plural, kind, obj)
        self._objects[plural][key] = obj

    def delete(self, plural: str, name: str) -> None:
        """Delete an object; watches see it."""
        self._record(plural, "DELETED", self._objects[plural].pop(name))

    def bookmark(self, plural: str) -> None:
        """Tell watches of a version without a change of theirs."""
        self._record(plural, "BOOKMARK", {"kind": "Bookmark", "metadata": {}})

    def raw(self, plural: str, line: str) -> None:
        """Send a line as it is to watches."""
        self._record(plural, "RAW", {"line": line})

    def compact(self) -> None:
        """Forget history: older versions are 410 from now on."""
        self._oldest = self.version
        self._events.clear()

    def cut_watches(self) -> None:
        """Break the connections of all watches."""
        for response in self._watches:
            if response._req is not None and response._req.transport is not None:
                response._req.transport.abort()

    def end_watches(self) -> None:
        """End all watches in order, as at their timeout."""
        self._ending |= self._watches
        self._changed.set()

    def fail(self, what: str, *faults: Fault) -> None:
        """Answer the next requests of this kind with faults."""
        self.faults.setdefault(what, []).extend(faults)

    def hold(self, what: str) -> None:
        """Let requests of one kind wait."""
        self._held[what] = asyncio.Event()

    def release(self, what: str) -> None:
        """Let them go on."""
        self._held.pop(what).set()

    def _record(self, plural: str, kind: str, obj: dict[str, Any]) -> None:
        self.version = next(self._version)
        if "metadata" in obj:
            obj["metadata"] = {**obj["metadata"], "resourceVersion": str(self.version)}
        self._events.append((self.version, f"{kind} {plural}", obj))
        self._changed.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        plural, namespace, name = (request.match_info.get(key, "") for key in ("plural", "namespace", "name"))
        if plural in self.absent:
            return _status(404, "the server could not find the requested resource")
        watch = request.query.get("watch") == "1"
        verb = "get" if name else "watch" if watch else "list"
        self.requests.append(
            f"get {plural} {namespace}/{name}"
            if name
            else f"watch {plural} {request.query['resourceVersion']}"
            if watch
            else f"list {plural}"
        )
        if refusal := await self._refusal(request, verb, plural):
            return refusal
        if name:
            found = self._objects[plural].get(f"{namespace}/{name}" if namespace else name)
            version, kind = KINDS[plural]
            written = {"apiVersion": version, "kind": kind} | (found or {})
            return web.json_response(written) if found else _status(404, f'{plural} "{name}" not found')
        return await self._watch(request, plural) if watch else self._list(request, plural)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Take a new object, unless there is one of its name."""
        plural, namespace = request.match_info["plural"], request.match_info["namespace"]
        self.requests.append(f"create {plural} {namespace}")
        obj = await request.json()
        if refusal := await self._refusal(request, "create", plural):
            return refusal
        assert obj["metadata"]["namespace"] == namespace
        if _key(obj) in self._objects[plural]:
            return _status(409, f'{plural} "{obj["metadata"]["name"]}" already exists')
        self.put(plural, obj)
        return web.json_response(obj, status=201)

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Put an object in the place of one, or patch it by a JSON patch: 409 or 422 where its version is another."""
        plural, namespace, name = (request.match_info.get(key, "") for key in ("plural", "namespace", "name"))
        verb = "update" if request.method == "PUT" else "patch"
        self.requests.append(f"{verb} {plural} {namespace}/{name}".replace(" /", " "))
        body = await request.json()
        assert request.query.get("fieldManager") == "podgate"
        fault = next(iter(self.faults.get(f"{verb} {plural}", ())), None)
        if (refusal := await self._refusal(request, verb, plural)) and not (fault and fault.done):
            return refusal
        there = self._objects[plural].get(f"{namespace}/{name}" if namespace else name)
        if there is None:
            return _status(404, f'{plural} "{name}" not found')
        if verb == "patch":
            assert request.content_type == "application/json-patch+json"
            try:
                changed = patched(there, body)
            except LookupError:
                return _status(422, "the server rejected our request due to an error in our request")
        elif body["metadata"].get("resourceVersion") != there["metadata"]["resourceVersion"]:
            return _status(409, f'Operation cannot be fulfilled on {plural} "{name}": the object has been modified')
        else:
            changed = body
        if changed != there:  # as etcd: nothing is written that changes nothing
            self.put(plural, changed)
        return refusal or web.json_response(changed)

    def get(self, plural: str, key: str) -> dict[str, Any]:
        """One object, by `namespace/name` or by name."""
        return self._objects[plural][key]

    def all(self, plural: str) -> list[dict[str, Any]]:
        """The objects that there are, in the order in which they came."""
        return list(self._objects[plural].values())

    async def _refusal(self, request: web.Request, verb: str, plural: str) -> web.Response | None:
        """What stands in the way of a request, once answers do not wait any more."""
        await self.gate.wait()
        if self.turns is not None:
            await self.turns(request)
        what = f"{verb} {plural}"
        if held := self._held.get(what):
            await held.wait()
        if faults := self.faults.get(what):
            fault = faults.pop(0)
            if fault.status == 0:
                assert request.transport is not None
                request.transport.abort()
            if fault.text is not None:
                return web.Response(text=fault.text, content_type="application/json", status=fault.status)
            return _status(fault.status or 500, fault.message, fault.headers)
        if self.token and request.headers.get("Authorization", "").lower() != f"bearer {self.token}".lower():
            return _status(401, "Unauthorized")
        if what in self.forbidden:
            return _status(403, f'{plural} is forbidden: User "somebody" cannot {verb} resource "{plural}"')
        return None

    async def discover(self, request: web.Request) -> web.StreamResponse:
        """Tell which groups, versions and resources there are. A fault of "discover" is for any of these paths."""
        self.requests.append(f"discover {request.path}")
        await self.gate.wait()
        await self.discovery.wait()
        if faults := self.faults.get("discover"):
            fault = faults.pop(0)
            return _status(fault.status, fault.message, fault.headers)
        if self.token and request.headers.get("Authorization", "").lower() != f"bearer {self.token}".lower():
            return _status(401, "Unauthorized")
        version, group = {"groupVersion": "", "version": "v1"}, request.match_info.get("group", "")
        if request.path == "/api":
            return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
        if request.path == "/apis":
            groups = [{"name": name, "versions": [version], "preferredVersion": version} for name in GROUPS if name]
            return web.json_response({"kind": "APIGroupList", "groups": groups})
        if group and not request.path.endswith("/v1"):
            known = web.json_response({"kind": "APIGroup", "name": group, "preferredVersion": version})
            return known if group in GROUPS else _status(404, "the server could not find the requested resource")
        resources = [
            {"name": name, "kind": kind, "singularName": kind.lower(), "namespaced": True, "verbs": ["create"]}
            for name, kind in (each.split() for each in GROUPS.get(group, ()))
        ]
        return web.json_response({"kind": "APIResourceList", "resources": resources})

    def _list(self, request: web.Request, plural: str) -> web.Response:
        limit = int(request.query.get("limit", "0"))
        self.limits.append(limit)
        start, version = 0, self.version
        if token := request.query.get("continue"):
            start, version = map(int, token.split("."))
            if version < self._oldest:
                token = f"{start}.{self.version}" if self.goes_on else ""
                return _status(410, "The provided continue parameter is too old", token=token)
        within = f"{namespace}/" if (namespace := request.match_info.get("namespace", "")) else ""
        objects = self._objects[plural]
        try:
            wanted = _equalities(request.query.get("labelSelector", ""))
        except ValueError as error:
            return _status(400, f"unable to parse requirement: {error}")
        items = [objects[key] for key in sorted(objects) if key.startswith(within)]
        items = [one for one in items if wanted <= set(one["metadata"].get("labels", {}).items())]
        end = start + limit if limit else len(items)
        metadata = {"resourceVersion": str(version)}
        if end < len(items):
            metadata["continue"] = f"{end}.{version}"
            if self.compact_between_pages:
                self.put("namespaces", {"metadata": {"name": "meanwhile"}})
                self.compact()
        api_version, kind = KINDS[plural]
        answer = {"apiVersion": api_version, "kind": f"{kind}List", "metadata": metadata, "items": items[start:end]}
        return web.json_response(answer)

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        if seen < self._oldest:
            return _status(410, f"too old resource version: {seen} ({self._oldest})")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._watches.add(response)
        try:
            async for line in self._lines(plural, seen, response, request.query.get("allowWatchBookmarks") == "true"):
                await response.write(line)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._watches.discard(response)
            self._ending.discard(response)
        return response

    async def _lines(
        self, plural: str, seen: int, response: web.StreamResponse, bookmarks: bool
    ) -> AsyncIterator[bytes]:
        while response not in self._ending:
            if request_gone(response):
                return
            for version, what, obj in [event for event in self._events if event[0] > seen]:
                seen = version
                kind, _, of = what.partition(" ")
                if of != plural or (kind == "BOOKMARK" and not bookmarks):
                    continue
                text = obj["line"] if kind == "RAW" else json.dumps({"type": kind, "object": obj})
                yield text.encode() + b"\n"
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 0.02)
            except TimeoutError:
                continue


def request_gone(response: web.StreamResponse) -> bool:
    """Whether the client has gone away."""
    return response._req is None or response._req.transport is None or response._req.transport.is_closing()


def _equalities(selector: str) -> set[tuple[str, str]]:
    """Labels that a selector demands; of its operators there is only =. Raises ValueError."""
    found = set()
    for part in filter(None, selector.split(",")):
        key, equals, value = part.partition("=")
        if not (key and equals):
            raise ValueError(part)
        found.add((key, value))
    return found


def _key(obj: Mapping[str, Any]) -> str:
    metadata = obj["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def _status(code: int, message: str, headers: Mapping[str, str] | None = None, token: str = "") -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    body |= {"metadata": {"continue": token}} if token else {}
    return web.json_response(body, status=code, headers=headers)


@asynccontextmanager
async def api_server(port: int = 0, server: ApiServer | None = None) -> AsyncIterator[ApiServer]:
    """Run an API server, on a free port of loopback unless one is given."""
    server = server or ApiServer()
    app = web.Application()
    for path in ("/api", "/api/v1", "/apis", "/apis/{group}", "/apis/{group}/v1"):
        app.router.add_get(path, server.discover)
    app.router.add_get("/api/v1/{plural}", server.handle)
    app.router.add_get("/api/v1/{plural}/{name}", server.handle)
    app.router.add_get("/apis/{group}/v1/{plural}", server.handle)
    app.router.add_get("/apis/{group}/v1/{plural}/{name}", server.handle)
    for path in ("/api/v1", "/apis/{group}/v1"):
        app.router.add_get(f"{path}/namespaces/{{namespace}}/{{plural}}", server.handle)
    app.router.add_get("/api/v1/namespaces/{namespace}/{plural}/{name}", server.handle)
    app.router.add_post("/api/v1/namespaces/{namespace}/{plural}", server.create)
    app.router.add_get("/apis/{group}/v1/namespaces/{namespace}/{plural}/{name}", server.handle)
    for change in (app.router.add_put, app.router.add_patch):
        change("/api/v1/namespaces/{namespace}/{plural}/{name}", server.change)
        change("/apis/{group}/v1/namespaces/{namespace}/{plural}/{name}", server.change)
        change("/apis/{group}/v1/{plural}/{name}", server.change)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        server.gate.set()
        server.discovery.set()
        server.end_watches()
        await runner.cleanup()


def node(name: str, architecture: str = "amd64", **labels: str) -> dict[str, Any]:
    """A Node object as an API server gives it, with a heartbeat and images that no decision sees."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": architecture, **labels},
        },
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            "nodeInfo": {
                "operatingSystem": "linux",
                "architecture": architecture,
                "containerRuntimeVersion": "containerd://2.1.4",
                "kernelVersion": "6.8.0",
            },
            "images": [{"names": [f"reg.example/app:{each}"], "sizeBytes": each} for each in range(3)],
        },
    }
