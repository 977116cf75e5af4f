"""What the load asks, and which answers are right: by what held, or may have held for podgate, at the time."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from tests.soak.cluster import PULL_SECRET
from tests.soak.registries import ILL, MANY, PRIVATE, SOME, TAGS, WELL, ill_name
from tests.soak.world import MOVING_TAGS, TENANTS, World
from tests.support.serving import RECORDED

Verdict = tuple[str, str]
"""Decision and reason."""
MATCH: Final = ("allow", "match")
PARTIAL: Final = ("warn", "partial")
MISMATCH: Final = ("deny", "mismatch")
LENIENT: Final = ("warn", "mismatch")
UNKNOWN: Final = ("warn", "undetermined")

Right = Callable[[float, float], frozenset[Verdict]]
"""The verdicts that are right for a review that was begun and answered at these times (seconds since 1970)."""


@dataclass(frozen=True)
class Question:
    """`spec`: fields of the pod's spec beside its container."""

    kind: str
    image: str
    right: Right
    namespace: str = "team"
    spec: Mapping[str, Any] = field(default_factory=dict)


def always(*verdicts: Verdict) -> Right:
    """What is right at any time."""
    return lambda _begin, _end: frozenset(verdicts)


_TOLERATES: Final = {"tolerations": [{"key": "rare", "operator": "Exists"}]}
_FITS_GPU: Final = {("amd64",): MATCH, ("amd64", "arm64"): PARTIAL, ("arm64",): MISMATCH}


_FILLING: Final = {"private, of another tenant": 30, "host that nobody has heard of": 10}
"""Weights while it is to become warm: Events that were written (4,096 objects) and hosts that fail (1,024) are
remembered by number, and so many are to have come by the end of a short warm-up."""


class Questions:
    """Draws questions, each kind as often as its weight says. `filling`: it is to become warm."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._kinds: dict[str, tuple[int, Callable[[str], Question]]] = {
            "runs": (30, self._runs),
            "runs nowhere": (10, self._nowhere),
            "runs where it is told to": (4, self._selected),
            "told to run where it does not": (4, self._astray),
            "tag that moves": (8, self._moving),
            "registry with faults, runs": (12, self._ill_runs),
            "registry with faults, does not": (8, self._ill_nowhere),
            "private, runs": (5, self._private_runs),
            "private, does not": (3, self._private_nowhere),
            "private, of another tenant": (3, self._strange),
            "on nodes that come and go": (4, self._rare),
            "on nodes whose labels change": (3, self._labelled),
            "namespace whose mode changes": (2, self._moody),
            "exempt by settings now and then": (2, self._exempt),
            "host that nobody has heard of": (1, self._unheard),
            "no valid name": (1, self._invalid),
        }
        self.filling = False
        self._weights = [weight for weight, _ in self._kinds.values()]
        self._filling = [_FILLING.get(kind, weight) for kind, (weight, _) in self._kinds.items()]

    @property
    def kinds(self) -> tuple[str, ...]:
        """All there are."""
        return tuple(self._kinds)

    def draw(self) -> Question:
        """The next one."""
        kind = self._chance.choices(self.kinds, self._filling if self.filling else self._weights)[0]
        return self.of(kind)

    def of(self, kind: str) -> Question:
        """One of a kind."""
        return self._kinds[kind][1](kind)

    def _one_of(self, many: int) -> int:
        """Some are asked for more often than others, as in a cluster."""
        return self._chance.randrange(many if self._chance.random() < 0.5 else 1 + many // 50)

    def _runs(self, kind: str) -> Question:
        return Question(kind, f"{WELL}/runs-{self._one_of(MANY)}:1", always(MATCH))

    def _nowhere(self, kind: str) -> Question:
        return Question(kind, f"{WELL}/nowhere-{self._one_of(SOME)}:1", always(MISMATCH))

    def _selected(self, kind: str) -> Question:
        image = f"{WELL}/amd64-{self._one_of(SOME)}:1"
        return Question(kind, image, always(MATCH), spec=_on("amd64"))

    def _astray(self, kind: str) -> Question:
        image = f"{WELL}/amd64-{self._one_of(SOME)}:1"
        return Question(kind, image, always(MISMATCH), spec=_on("arm64"))

    def _moving(self, kind: str) -> Question:
        tag = self._chance.randrange(MOVING_TAGS)
        moved = self._world.moved[tag]

        def right(begin: float, end: float) -> frozenset[Verdict]:
            return frozenset(MATCH if runs else MISMATCH for runs in moved.during(begin, end))

        return Question(kind, f"{WELL}/moving:{tag}", right)

    def _ill_runs(self, kind: str) -> Question:
        return self._ill(kind, self._chance.choice(("index-fits", "manifest-fits")), MATCH)

    def _ill_nowhere(self, kind: str) -> Question:
        return self._ill(kind, self._chance.choice(("index-other", "manifest-other")), MISMATCH)

    def _ill(self, kind: str, name: str, verdict: Verdict) -> Question:
        image = f"{ill_name(self._chance.randrange(ILL))}/{name}:{self._chance.randrange(TAGS)}"
        return Question(kind, image, always(verdict, UNKNOWN), spec=_on("arm64"))

    def _private_runs(self, kind: str) -> Question:
        return self._private(kind, "runs", MATCH)

    def _private_nowhere(self, kind: str) -> Question:
        return self._private(kind, "nowhere", MISMATCH)

    def _private(self, kind: str, name: str, verdict: Verdict) -> Question:
        tenant = self._chance.choice(TENANTS)
        logins = self._world.logins[tenant]

        def right(begin: float, end: float) -> frozenset[Verdict]:
            return frozenset((verdict, UNKNOWN) if len(logins.during(begin, end)) > 1 else (verdict,))

        return Question(kind, f"{PRIVATE}/{tenant}/{name}:1", right, tenant, _WITH_SECRET)

    def _strange(self, kind: str) -> Question:
        tenant, other = self._chance.sample(TENANTS, 2)
        name = self._chance.choice(("runs", "nowhere"))
        return Question(kind, f"{PRIVATE}/{other}/{name}:1", always(UNKNOWN), tenant, _WITH_SECRET)

    def _rare(self, kind: str) -> Question:
        name = self._chance.choice(("two", "s390x"))
        without = MATCH if name == "two" else MISMATCH
        rare = self._world.rare

        def right(begin: float, end: float) -> frozenset[Verdict]:
            return frozenset(PARTIAL if there else without for there in rare.during(begin, end))

        return Question(kind, f"{WELL}/{name}:1", right, spec=_TOLERATES)

    def _labelled(self, kind: str) -> Question:
        labelled = self._world.labelled

        def right(begin: float, end: float) -> frozenset[Verdict]:
            return frozenset(_FITS_GPU[there] for there in labelled.during(begin, end))

        return Question(kind, f"{WELL}/amd64:1", right, spec={"nodeSelector": {"pool": "gpu"}})

    def _moody(self, kind: str) -> Question:
        lenient = self._world.lenient

        def right(begin: float, end: float) -> frozenset[Verdict]:
            return frozenset(LENIENT if warns else MISMATCH for warns in lenient.during(begin, end))

        return Question(kind, f"{WELL}/nowhere-{self._one_of(SOME)}:1", right, "moody")

    def _exempt(self, kind: str) -> Question:
        exempt = self._world.exempt

        def right(begin: float, end: float) -> frozenset[Verdict]:
            return frozenset(MATCH if spared else MISMATCH for spared in exempt.during(begin, end))

        return Question(kind, f"{WELL}/exempt/nowhere-{self._one_of(SOME)}:1", right)

    def _unheard(self, kind: str) -> Question:
        host = f"127.0.0.{self._chance.randrange(4, 8)}:{self._chance.randrange(20000, 32000)}"
        return Question(kind, f"{host}/app:1", always(UNKNOWN))

    def _invalid(self, kind: str) -> Question:
        return Question(kind, f"Not/Valid-{self._chance.randrange(1000)}", always(MISMATCH))


_WITH_SECRET: Final = {"imagePullSecrets": [{"name": PULL_SECRET}]}


def _on(architecture: str) -> dict[str, Any]:
    return {"nodeSelector": {"kubernetes.io/arch": architecture}}


_OBJECTS: Final = {
    "CREATE-Pod": (6, ("spec",)),
    "CREATE-Deployment": (2, ("spec", "template", "spec")),
    "CREATE-Job": (1, ("spec", "template", "spec")),
    "CREATE-CronJob": (1, ("spec", "jobTemplate", "spec", "template", "spec")),
}
"""Recorded reviews of an API server: how often each is taken, and where its pod's spec is."""
_WEIGHTS: Final = [weight for weight, _ in _OBJECTS.values()]
_TEXTS: Final = {name: json.dumps(RECORDED[name]) for name in _OBJECTS}


def review(question: Question, number: int, chance: random.Random) -> tuple[str, bytes]:
    """An AdmissionReview of a new object that asks a question, and its uid. Half of the objects are like many others,
    half are like none."""
    name = chance.choices(tuple(_OBJECTS), _WEIGHTS)[0]
    made: dict[str, Any] = json.loads(_TEXTS[name])
    request = made["request"]
    uid = str(UUID(int=number, version=4))
    request |= {"uid": uid, "name": f"web-{number}", "namespace": question.namespace}
    obj = request["object"]
    obj["metadata"] |= {
        "name": f"web-{number}",
        "namespace": question.namespace,
        "uid": str(UUID(int=1 << 64 | number)),
    }
    spec = obj
    for step in _OBJECTS[name][1]:
        spec = spec[step]
    spec.pop("volumes", None)
    container = "app" if number % 2 else f"app-{number}"
    spec |= {"containers": [{"name": container, "image": question.image}], **question.spec}
    return uid, json.dumps(made, separators=(",", ":")).encode()
