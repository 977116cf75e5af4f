"""A cold storm: many pods at once, of images that nobody has asked for yet, at a registry that takes its time."""

from collections.abc import Sequence
from typing import Final

from tests.bench.figures import Figure
from tests.bench.prompt import PromptRegistry
from tests.bench.reviews import pods_of
from tests.bench.served import place, podgate
from tests.bench.setting import Run, pushed
from tests.support.apiserver import node
from tests.support.registry import Auth

PODS: Final = 1000
IMAGES: Final = 100
SINGLES: Final = 50
"""Of the images: single manifests, which take two requests."""
AT_ONCE: Final = 64
DELAY: Final = 0.05
ROUND_TRIPS: Final = 4
"""The most that an image takes: a challenge, a token, a manifest, a config."""


async def figures(run: Run) -> list[Figure]:
    """The storm over an open registry, and over one that wants a token for each repository."""
    requests = IMAGES + SINGLES
    found = await _storm(run, "an open registry", None, requests)
    public = Auth(public={f"team/app-{number}" for number in range(IMAGES)})
    # One challenge tells where tokens are; then a token for each repository.
    return found + await _storm(run, "a registry with tokens", public, 1 + IMAGES + requests)


async def _storm(run: Run, what: str, auth: Auth | None, floor: int) -> list[Figure]:
    with PromptRegistry(DELAY, run.load.core) as registry:
        reviews = pods_of(pushed(registry, IMAGES, SINGLES), PODS)
        registry.auth = auth
        nodes = [node(f"node-{number}") for number in range(50)]
        async with (
            place(run.folder / what.replace(" ", "-"), run.server, nodes) as where,
            podgate(where, registry) as ours,
        ):
            cold = await run.load.all_once(ours.target, reviews, AT_ONCE)
            requests = len(registry.log)
            warm = await run.load.all_once(ours.target, reviews, AT_ONCE)
            decisions = await ours.decisions()
        assert len(registry.log) == requests, "the second time all is known"
        assert decisions == {"allow/match": 2 * PODS}, decisions
    return [
        Figure(f"storm, {what}: requests of {PODS:,} pods of {IMAGES} images", requests, "requests", floor, "exactly"),
        Figure(f"storm, {what}: reviews that were not decided", _undecided(cold.responses), "reviews", 0),
        *_percentiles(what, cold.percentile(99), warm.percentile(99)),
    ]


def _percentiles(what: str, cold: float, warm: float) -> list[Figure]:
    bound = ROUND_TRIPS * DELAY + warm
    return [
        Figure(f"storm, {what}: p99", 1000 * cold, "ms", timed=True),
        Figure(f"storm, {what}: p99 once all is known", 1000 * warm, "ms", timed=True),
        Figure(f"storm, {what}: p99 against {ROUND_TRIPS} round trips and that", cold / bound, "ratio", 1, timed=True),
    ]


def _undecided(responses: Sequence[dict[str, object]]) -> int:
    """Reviews that came to no decision of their own: with a warning, since all images run everywhere."""
    assert len(responses) == PODS
    return sum(bool(response.get("warnings")) or not response["allowed"] for response in responses)
