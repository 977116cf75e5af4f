"""An OCI registry in the process of the demo: the pull half of the distribution spec, over plain HTTP on loopback."""

import base64
from collections.abc import Mapping
from typing import Self

from aiohttp import web

from webhook.demo.images import Blob, Repository

API_VERSION_HEADER = ("Docker-Distribution-Api-Version", "registry/2.0")


class DemoRegistry:
    """Serves repositories read-only; `port` is known once it has started."""

    def __init__(self, repositories: Mapping[str, Repository]) -> None:
        self._repositories = repositories
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v2/{name:.+}/{kind:manifests|blobs}/{target}", self._serve)
        app.router.add_get("/v2/", self._version)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({}, headers=dict([API_VERSION_HEADER]))

    async def _serve(self, request: web.Request) -> web.Response:
        repository = self._repositories.get(request.match_info["name"])
        if repository is None:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        if repository.login is not None and not _logged_in(request, repository.login):
            refusal = _error(401, "UNAUTHORIZED", "authentication required")
            refusal.headers["WWW-Authenticate"] = 'Basic realm="podgate demo"'
            return refusal
        target = request.match_info["target"]
        blob = repository.blobs.get(repository.tags.get(target, target))
        if blob is None:
            unknown = "MANIFEST_UNKNOWN" if request.match_info["kind"] == "manifests" else "BLOB_UNKNOWN"
            return _error(404, unknown, "not known to registry")
        return _found(blob)


def _found(blob: Blob) -> web.Response:
    headers = {"Content-Type": blob.media_type, "Docker-Content-Digest": blob.digest}
    return web.Response(body=blob.body, headers=headers | dict([API_VERSION_HEADER]))


def _error(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": text}]}, status=status)


def _logged_in(request: web.Request, login: tuple[str, str]) -> bool:
    wanted = base64.b64encode(f"{login[0]}:{login[1]}".encode()).decode()
    return request.headers.get("Authorization", "") == f"Basic {wanted}"
