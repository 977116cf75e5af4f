"""Surveys for reports, made up: of any size, and with names that would like to be more than names."""

from dataclasses import replace
from itertools import cycle, islice
from typing import Final

from webhook.core.fleet import Owner
from webhook.report.survey import (
    STATES,
    Cell,
    Column,
    ImageSurvey,
    State,
    Suggestion,
    Survey,
    Use,
    WorkloadSurvey,
)

AMD, ARM, WINDOWS = "linux/amd64", "linux/arm64", "windows/amd64:10.0.20348.2113"
COLUMNS: Final = (
    Column(AMD, AMD, 12),
    Column(ARM, ARM, 4),
    Column(WINDOWS, WINDOWS, 1),
    Column("linux/s390x", "linux/s390x", 0, "to-come"),
    Column("linux/arm/v7", "linux/arm/v7", 0, "demanded"),
    Column("linux/riscv64,label=a=b", "linux/riscv64", 0, "target"),
)
NAMESPACES: Final = ("shop", "payments", "monitoring", "web-frontends-eu-west")
KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")

HOSTILE: Final = (
    "<script>document.title='caught'</script>",
    "</style><img src=x onerror=\"document.title='caught'\">",
    "</script><svg onload=document.title='caught'>",
    "\"onmouseover=document.title='caught' x='",
    "</title></head><body onload=document.title='caught'>",
    "<!--",
    "]]>&lt;b&gt;&#x27;",
    "x" * 300,
    "reg.example/app\u202e:4.1",  # what follows would be written from right to left
    "reg.example/a\u200bp\u200dp\u2066:1",
    "reg.example/\u05e9\u05dc\u05d5\u05dd\u00a0caf\u00e9",
    "line\nbreak\r\x00\x1b[31mred\ud800",
    "two  blanks",
)
"""Names that markup, scripts or people could take for something else."""


def ready(index: int = 0, columns: tuple[Column, ...] = COLUMNS, replicas: int = 3) -> ImageSurvey:
    """An image that runs everywhere."""
    return _image(f"docker.io/library/base{index}:1.{index}", "ready", index, columns, replicas)


def blocked(index: int = 0, columns: tuple[Column, ...] = COLUMNS, replicas: int = 3) -> ImageSurvey:
    """An image that runs in the first column alone, and blocks its users."""
    return _image(f"reg.example/shop/web{index}:2.{index}", "blocked", index, columns, replicas)


def partial(index: int = 0, columns: tuple[Column, ...] = COLUMNS, replicas: int = 3) -> ImageSurvey:
    """An image that fails on some of the nodes of its users."""
    return _image(f"ghcr.io/team/tool{index}@sha256:{index:064x}", "partial", index, columns, replicas)


def unknown(index: int = 0, columns: tuple[Column, ...] = COLUMNS, replicas: int = 3) -> ImageSurvey:
    """An image that could not be looked up."""
    return _image(f"private.example/app{index}:3", "unknown", index, columns, replicas)


def survey_with(*images: ImageSurvey, columns: tuple[Column, ...] = COLUMNS) -> Survey:
    """The survey of these images and those who use them."""
    uses = {use.owner: use for image in images for use in image.uses}
    workloads = [WorkloadSurvey(use.owner, use.replicas, use.state, "match") for use in uses.values()]
    in_order = sorted(images, key=lambda one: (STATES.index(one.state), -one.replicas_blocked, one.image))
    return Survey(columns, tuple(in_order), tuple(workloads))


def mixed(count: int, columns: tuple[Column, ...] = COLUMNS) -> Survey:
    """A survey of so many images, of all states."""
    makers = (blocked, ready, ready, unknown, ready, partial, ready)
    replicas = (2, 12, 0, 100, 1)
    made = zip(range(count), cycle(makers), cycle(replicas), strict=False)
    found = survey_with(*(make(index, columns, each) for index, make, each in made), columns=columns)
    return replace(found, notes=("3 objects were passed over: 2 Service, 1 ConfigMap",))


def hostile() -> Survey:
    """A survey in which every name that people may give is one of HOSTILE."""
    columns = (Column(HOSTILE[0], AMD, 1), Column(HOSTILE[8], ARM, 0, "target"))
    images, workloads = [], []
    for name in HOSTILE:
        use = Use(Owner(name, name, name), (name, name), 1, "blocked", blocked=True, why="no-matching-entry")
        cells = Cell("fails", "no-matching-entry", 1), None
        tip = Suggestion(name, name, name, (name,))
        images.append(ImageSurvey(name, name, "index", (name,), ("denied", name), cells, (use,), tip))
        workloads.append(WorkloadSurvey(use.owner, 1, "blocked", "mismatch", (name,)))
    return Survey(columns, tuple(images), tuple(workloads), notes=HOSTILE, problems=HOSTILE)


def crowded(objects: int) -> Survey:
    """One image that so many objects use, each with a name of its own."""
    uses = tuple(
        Use(Owner("Pod", "batch", f"job-{number:05}"), ("app",), 1, "blocked", blocked=True, why="config-mismatch")
        for number in range(objects)
    )
    cells = Cell("runs", "fits", objects), Cell("fails", "config-mismatch", objects)
    return survey_with(
        ImageSurvey("reg.example/batch:1", "", "manifest", (AMD,), None, cells, uses), columns=COLUMNS[:2]
    )


def _image(name: str, state: State, index: int, columns: tuple[Column, ...], replicas: int) -> ImageSurvey:
    fails: Cell | None = Cell("fails", "no-matching-entry" if state == "blocked" else "config-mismatch", replicas)
    uncertain: Cell | None = Cell("uncertain", "image-unresolved", replicas)
    runs: Cell | None = Cell("runs", "fits", replicas)
    shared: Cell | None = Cell("fails", "no-matching-entry", 2, ("runs",))
    cells = {
        "ready": [runs],
        "unknown": [uncertain],
        "blocked": [runs, fails, shared, None, fails],
        "partial": [runs, fails],
    }[state]
    owner = Owner(KINDS[index % 4], NAMESPACES[index % 4], f"{state}-{index}")
    why = None if state == "ready" else cells[-1].why if cells[-1] else None
    failing = state in ("blocked", "partial")
    use = Use(owner, ("app", "migrate") if index % 2 else ("app",), replicas, state, failing, why)
    error = ("unauthorized", "the registry wants credentials that are not at hand")
    known = state != "unknown"
    repository = name.partition("@")[0].rpartition(":")[0] or name.partition("@")[0]
    return ImageSurvey(
        name,
        f"{repository}@sha256:{index:064x}" if known else "",
        "index" if known else "unknown",
        (AMD,) if failing else (AMD, ARM) if known else (),
        None if known else error,  # type: ignore[arg-type]  # a code, as a Literal has it
        tuple(islice(cycle(cells), len(columns))),
        (use,),
        Suggestion(f"{repository}:9.1", "9.1", f"sha256:{9:064x}", (AMD, ARM)) if state == "blocked" else None,
    )
