"""Everything of a kind in a cluster, once: page by page, so that never more than a page of it is held."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from webhook.cluster.answers import items_of, metadata_of
from webhook.cluster.connection import Connection, ListExpired
from webhook.cluster.objects import is_object_name
from webhook.core.errors import ClusterUnavailable, MalformedInput
from webhook.core.kinds import FurtherKind

PAGE: Final = 500
"""Objects in an answer; kubectl asks for as many at a time (cli-runtime, --chunk-size)."""

_PAGE_SECONDS: Final = 60.0
"""For one page: an API server whose cache is cold reads 500 large pods from etcd first."""

_MOST_SETBACKS: Final = 5
"""Times that a page is asked for again, where the API server says how: it is busy, or the list has expired."""
_BUSY: Final = frozenset({429, 503})
_LONGEST_PAUSE: Final = 10.0
"""Seconds that a busy API server is left alone, if it asks for more."""

_RESOURCES: Final = "APIResourceList"

_MOST_BAD: Final = 5
"""Objects of a kind that are not understood and named; the others are counted."""

Take = Callable[[Mapping[str, Any], str], object]
"""Takes an object over, with the plural of its kind, and keeps no more of it than it needs. Raises MalformedInput where
it is not understood."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """A kind to be listed: `path` of its API, `plural`, and the apiVersion and kind that the items of a list lack.

    `own`: Kubernetes' own. What a list of another kind is called is up to whoever defines it (spec.names.listKind of a
    CustomResourceDefinition), and discovery does not tell.
    """

    path: str
    plural: str
    api_version: str
    kind: str
    own: bool = True

    @property
    def list_kind(self) -> str:
        """The kind of a list of them; empty where it is not known."""
        return f"{self.kind}List" if self.own else ""

    def where(self, namespace: str) -> str:
        """The path of its objects in a namespace, in all of them where that is empty."""
        middle = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"{self.path}{middle}/{self.plural}"


PODS: Final = Listed("/api/v1", "pods", "v1", "Pod")

WITH_TEMPLATES: Final = (
    Listed("/apis/apps/v1", "replicasets", "apps/v1", "ReplicaSet"),
    Listed("/apis/apps/v1", "deployments", "apps/v1", "Deployment"),
    Listed("/apis/apps/v1", "statefulsets", "apps/v1", "StatefulSet"),
    Listed("/apis/apps/v1", "daemonsets", "apps/v1", "DaemonSet"),
    Listed("/apis/batch/v1", "jobs", "batch/v1", "Job"),
    Listed("/apis/batch/v1", "cronjobs", "batch/v1", "CronJob"),
    Listed("/api/v1", "replicationcontrollers", "v1", "ReplicationController"),
)
"""What pods are made from. They are listed after the pods: an owner that is made in between is found all the same."""


async def list_all(
    connection: Connection, listed: Listed, namespace: str = "", selector: str = ""
) -> AsyncIterator[dict[str, Any]]:
    """The objects of a kind, in one namespace or (empty) in all, one after the other. `selector`: of labels, as the API
    server reads it; empty for all.

    Where the list expires on the way, it goes on with what is stored by then, as the API server offers: objects that
    were made or deleted in the meantime may be missing or there, none is there twice. Raises ClusterUnavailable; status
    403 where they may not be listed, 404 where the API is not served.
    """
    token = ""
    while True:
        items, token = await _page(connection, listed, namespace, selector, token)
        items.reverse()
        while items:  # each is let go of before the next: a page is held once, and never two
            item = items.pop()
            if isinstance(item, dict):
                yield {**item, "apiVersion": listed.api_version, "kind": listed.kind}
        if not token:
            return


async def _page(
    connection: Connection, listed: Listed, namespace: str, selector: str, token: str
) -> tuple[list[Any], str]:
    """The items of a page, and the token of the next one, empty where there is none."""
    setbacks = 0
    while True:
        query = [("limit", str(PAGE))] + ([("labelSelector", selector)] if selector else [])
        query += [("continue", token)] if token else []
        try:
            answer = await connection.get(listed.where(namespace), listed.list_kind, query, seconds=_PAGE_SECONDS)
            break
        except ClusterUnavailable as error:
            setbacks += 1
            if setbacks > _MOST_SETBACKS:
                raise
            if isinstance(error, ListExpired) and error.token:
                _log.info("The list of %s goes on from where it was: %s", listed.plural, error)
                token = error.token
            elif error.retry_after is not None and error.status in _BUSY:
                await asyncio.sleep(min(error.retry_after, _LONGEST_PAUSE))
            else:
                raise
    if answer.get("apiVersion") != listed.api_version:
        raise ClusterUnavailable(f"{connection.host} answers {listed.where(namespace)} with a list of something else")
    return items_of(answer, listed.where(namespace)), str(metadata_of(answer).get("continue") or "")


async def list_fleet(
    connection: Connection,
    take: Take,
    namespaces: Sequence[str],
    further: Iterable[FurtherKind],
    selector: str = "",
) -> list[str]:
    """Gives all pods, and then what they are made from, to `take`; returns what could not be read, a line each.

    `namespaces`: none for all. `selector`: of labels, empty for all. What may not be listed, or is not understood,
    leaves the rest as it is. Raises ClusterUnavailable where pods cannot be listed for another reason than a missing
    permission: then the API server cannot be asked at all.
    """
    kinds, problems = await further_kinds(connection, further)
    return problems + await _list_kinds(connection, take, namespaces, (PODS, *WITH_TEMPLATES, *kinds), selector)


async def list_makers(connection: Connection, take: Take, namespaces: Sequence[str]) -> list[str]:
    """Gives all that pods are made from to `take`, whatever labels it has; returns what could not be read.

    Labels of pods come from templates, and need not be those of who has the template.
    """
    return await _list_kinds(connection, take, namespaces, WITH_TEMPLATES, "")


async def _list_kinds(
    connection: Connection, take: Take, namespaces: Sequence[str], kinds: Iterable[Listed], selector: str
) -> list[str]:
    problems: list[str] = []
    for listed in kinds:
        bad: list[str] = []
        for namespace in namespaces or ("",):
            try:
                async for obj in list_all(connection, listed, namespace, selector):
                    try:
                        take(obj, listed.plural)
                    except MalformedInput as error:
                        bad.append(f"{listed.kind} {_name(obj)}: {error}")
            except ClusterUnavailable as error:
                if listed is PODS and error.status != 403:
                    raise
                where = f" in the namespace {namespace}" if namespace else ""
                problems.append(f"{listed.plural}{where} are not known: {error}")
        problems += bad[:_MOST_BAD]
        if len(bad) > _MOST_BAD:
            problems.append(f"{len(bad) - _MOST_BAD} more {listed.plural} were not understood")
    return problems


async def missing_namespaces(connection: Connection, names: Iterable[str]) -> list[str]:
    """What is to be said of namespaces in which nothing was found, a line each: that there is none of this name, or
    that it may not be asked for. For lists, a namespace that is not there is an empty one.
    """
    problems = []
    for name in names:
        if not is_object_name(name):
            problems.append(f"there is no namespace {name}: it is no name")
            continue
        try:
            await connection.get(f"/api/v1/namespaces/{name}", "Namespace")
        except ClusterUnavailable as error:
            unknown = f"whether there is a namespace {name} is not known: {error}"
            problems.append(f"there is no namespace {name}" if error.status == 404 else unknown)
    return problems


def _name(obj: Mapping[str, Any]) -> str:
    fields = metadata_of(obj)
    return f"{fields.get('namespace')}/{fields.get('name')}"


async def further_kinds(connection: Connection, kinds: Iterable[FurtherKind]) -> tuple[list[Listed], list[str]]:
    """The kinds that settings add, as the API server serves them, and what is wrong with the others, a line each."""
    found, problems = [], []
    groups: dict[str, tuple[str, list[Mapping[str, Any]]] | str] = {}
    for one in kinds:
        if one.group not in groups:
            groups[one.group] = await _served(connection, one.group)
        served = groups[one.group]
        if isinstance(served, str):
            problems.append(f"kind {one.resource}.{one.group}: {served}")
            continue
        version, resources = served
        named = [str(each.get("kind")) for each in resources if each.get("name") == one.resource]
        if named:
            path = f"/apis/{one.group}/{version}" if one.group else f"/api/{version}"
            api_version = f"{one.group}/{version}" if one.group else version
            found.append(Listed(path, one.resource, api_version, named[0], own=False))
        else:
            problems.append(f"kind {one.resource}.{one.group}: the API server serves none in {version}")
    return found, problems


async def _served(connection: Connection, group: str) -> tuple[str, list[Mapping[str, Any]]] | str:
    """The preferred version of an API group, and its resources; a text where there is none."""
    try:
        if not group:
            version = "v1"
            found = await connection.get("/api/v1", _RESOURCES)
        else:
            if not is_object_name(group):
                return "no API group has such a name"
            about = await connection.get(f"/apis/{group}", "APIGroup")
            preferred = about.get("preferredVersion")
            version = str((preferred if isinstance(preferred, Mapping) else {}).get("version") or "")
            if not is_object_name(version):
                return "the API server names no version of the group"
            found = await connection.get(f"/apis/{group}/{version}", _RESOURCES)
    except ClusterUnavailable as error:
        return "its API group is not served" if error.status == 404 else str(error)
    return version, list(_resources(found))


def _resources(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    resources = document.get("resources")
    yield from (each for each in (resources if isinstance(resources, list) else ()) if isinstance(each, Mapping))
