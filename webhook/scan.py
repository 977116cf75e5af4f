"""`podgate scan`: the workloads of a cluster against its nodes, or against nodes that are not there yet.

Adapters are handed in by app/scan.py; this module fills a fleet, has the service judge it, and looks for tags that
would help. Every verdict is the service's.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from webhook.core.errors import BadCredentials, ClusterUnavailable, RegistryError
from webhook.core.fleet import PodGroup, without_demands
from webhook.core.reference import Reference, parse_image
from webhook.core.scheduling import Node
from webhook.core.text import name_some
from webhook.core.versions import NewerTags, nearest_that_works, newer_tags, parse_version
from webhook.core.workload import ContainerImage, Workload
from webhook.ports import Access, Cluster
from webhook.registry.tags import TagList
from webhook.report.survey import ImageSurvey, Suggestion, Survey
from webhook.report.surveying import Surveyed, image_key
from webhook.service import Judge, Request
from webhook.settings import Settings

AT_ONCE: Final = 64
"""Kinds of pods that are judged side by side; the registry client bounds requests by itself."""


class Tags(Protocol):
    """Where the tags of a repository are asked for: RegistryImages."""

    async def tags(self, reference: Reference, access: Access) -> TagList:
        """The tags of a reference's repository. Raises RegistryError and BadCredentials."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How a scan goes: kinds of pods judged side by side, a time of the loop's clock when it has to be over (None:
    never), and who is told that one more is done."""

    at_once: int = AT_ONCE
    deadline: float | None = None
    done: Callable[[], None] = lambda: None


def scan_settings(settings: Settings, *, only_given: bool = False) -> Settings:
    """Settings under which everything is looked at. `only_given`: on nodes that were given, and no others: those that
    settings declare and that NodePools may bring are not asked about.

    Modes and exempt namespaces say what the webhook may stand in the way of, and not what would run: a namespace in
    mode off has to be migrated too. Exempt images stay exempt: somebody has said that they run everywhere.
    """
    exempt = settings.exempt.model_copy(update={"namespaces": ()})
    changed: dict[str, object] = {"mode": "deny", "namespace_label": "ignored", "exempt": exempt, "events": False}
    if only_given:
        changed["nodes"] = settings.nodes.model_copy(update={"declared": (), "node_pools": False})
    return settings.model_copy(update=changed)


async def judge_fleet(judge: Judge, groups: Iterable[PodGroup], nodes: Sequence[Node], pace: Pace) -> list[Surveyed]:
    """Judges kinds of pods side by side; the results stand in the order of the groups."""
    slots = asyncio.Semaphore(pace.at_once)

    async def one(group: PodGroup) -> Surveyed:
        async with slots:
            found = await _judge(judge, group, nodes, pace.deadline)
            pace.done()
            return found

    # Those that share an image come after one another, so that a small memory is enough to ask for it once.
    ordered = sorted(groups, key=lambda group: [image_key(image.image) for image in group.workload.images])
    return list(await asyncio.gather(*map(one, ordered)))


async def _judge(judge: Judge, group: PodGroup, nodes: Sequence[Node], deadline: float | None) -> Surveyed:
    judgement = await judge.judge(Request(group.workload, deadline=deadline))
    shown = {
        node.name
        for finding in judgement.findings
        if all(outcome.why != "refused-by-kubelet" for outcome in finding.outcomes)
        for node in finding.nodes
    }
    if judgement.reason == "skipped" or all(node.name in shown for node in nodes):
        return Surveyed(group.owner, group.replicas, judgement)
    elsewhere = await judge.judge(Request(without_demands(group.workload), deadline=deadline))
    return Surveyed(group.owner, group.replicas, judgement, elsewhere)


@dataclass(frozen=True, slots=True)
class Advisor:
    """Looks for tags that would help: of the same repository, nearest first, each judged as the workload is."""

    judge: Judge
    cluster: Cluster
    tags: Tags
    pace: Pace

    async def advise(self, survey: Survey, entries: Sequence[Surveyed]) -> tuple[Survey, list[str]]:
        """The survey with suggestions beside the images that are in the way, and lines about those whose tags could not
        be asked for.

        Of each image one user is looked at, whom it keeps from running.
        """
        slots = asyncio.Semaphore(self.pace.at_once)
        failed: dict[str, list[str]] = {}

        async def one(image: ImageSurvey) -> ImageSurvey:
            wanted = _wanted(image, entries) if image.state in ("blocked", "partial") else None
            if wanted is None:
                return image
            async with slots:
                try:
                    return replace(image, suggestion=await self._suggest(*wanted))
                except (RegistryError, ClusterUnavailable, BadCredentials, TimeoutError) as error:
                    failed.setdefault(_why(error), []).append(image.image)
                    return image

        images = await asyncio.gather(*map(one, survey.images))
        notes = [f"no other tags are known of {name_some(names, limit=200)}: {why}" for why, names in failed.items()]
        return replace(survey, images=tuple(images)), notes

    async def _suggest(self, workload: Workload, used: ContainerImage) -> Suggestion | None:
        reference = parse_image(used.image)
        if reference.tag and reference.digest:  # the tag may have moved on since it was pinned
            moved = await self._with_tag(workload, used, reference.tag)
            if moved is not None:
                return replace(moved, same_tag=True)
        if parse_version(reference.tag) is None:  # nothing comes after any other tag
            return None
        search = nearest_that_works(await self._newer(workload, reference))
        working: dict[str | None, Suggestion] = {}
        try:
            tag = next(search)
            while True:
                found = await self._with_tag(workload, used, tag)
                if found is not None:
                    working[tag] = found
                tag = search.send(found is not None)
        except StopIteration as end:
            return working.get(end.value)

    async def _with_tag(self, workload: Workload, used: ContainerImage, tag: str) -> Suggestion | None:
        """An image with another tag, without a digest; None unless the workload runs with it wherever it may land."""
        written = _spelled(used.image, tag)
        tried = replace(workload, images=(replace(used, image=written),))
        judgement = await self.judge.judge(Request(tried, deadline=self.pace.deadline))
        if judgement.reason != "match" or any(finding.verdict != "runs" for finding in judgement.findings):
            return None
        found = judgement.images[0]
        return Suggestion(written, tag, found.resolved.partition("@")[2], found.platforms, same_tag=False)

    async def _newer(self, workload: Workload, reference: Reference) -> NewerTags:
        async with asyncio.timeout_at(self.pace.deadline):
            secrets = await self.cluster.pull_secrets(
                workload.namespace, workload.constraints, template=workload.template
            )
        listed = await self.tags.tags(reference, Access(workload.namespace, secrets, self.pace.deadline))
        return newer_tags(reference.tag, listed.tags)


def _why(error: Exception) -> str:
    """Why tags could not be asked for, in a few words."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return error.code if isinstance(error, RegistryError) else "the pull secrets cannot be read"


def _wanted(image: ImageSurvey, entries: Iterable[Surveyed]) -> tuple[Workload, ContainerImage] | None:
    """A workload that an image keeps from running, with the image as it uses it; None where there is none, or what it
    names is no image that has tags."""
    owners = {use.owner for use in image.uses if use.blocked}
    key = image_key(image.image)
    for entry in entries:
        judgement = entry.judgement
        if entry.owner not in owners or judgement.reason not in ("mismatch", "partial"):
            continue
        for number, found in enumerate(judgement.images):
            fails = any(finding.outcomes[number].why in _OF_THE_IMAGE for finding in judgement.findings)
            if fails and image_key(found.image) == key and found.resolved == image.resolved:
                return judgement.workload, judgement.workload.images[number]
    return None


_OF_THE_IMAGE: Final = frozenset({"no-matching-entry", "config-mismatch", "unsupported"})
"""Failures that another image would mend."""


def _spelled(written: str, tag: str) -> str:
    """Another tag as somebody would write it who wrote the image so: without a registry where none was named."""
    name = written.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    bare = head if colon and "/" not in tail else name
    return f"{bare}:{tag}"
