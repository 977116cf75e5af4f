"""`podgate check` on a directory of 1,000 manifests, and on manifests of 50 MB."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.setting import Run
from tests.support.images import multi, single
from tests.support.manifests import REGISTRY
from tests.support.registry import Registry

ROOT = Path(__file__).parents[2]
LARGE = 50_000_000
INDEXES, SINGLES = 20, 10
"""Images of the directory: one request each, and two."""
RUNS = 3

PROGRAM = """
import resource
import sys
from pathlib import Path
from webhook import cli
sys.argv = ["podgate", *sys.argv[1:]]
code = 0
try:
    cli.main()
except SystemExit as end:
    code = end.code
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss: what the parent had when it started this process counts there, too.
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(code, used.ru_utime + used.ru_stime, peak, file=sys.stderr)
"""


@dataclass(frozen=True)
class Ran:
    """What a run took: its exit code, CPU seconds, the most memory in MiB, and its document."""

    code: int
    seconds: float
    peak: float
    document: dict[str, object]


async def figures(_: Run) -> list[Figure]:
    """Requests and time by the number of manifests, and memory by the form of a large one."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_directory(Path(folder)), *_large(Path(folder))]


def _directory(folder: Path) -> Iterator[Figure]:
    with Registry() as registry:
        settings = _settings(registry, folder)
        for number in range(INDEXES):
            registry.push(f"team/index{number}", multi("linux/amd64", "linux/arm64"), "1")
        for number in range(SINGLES):
            registry.push(f"team/single{number}", single("linux/arm64", text=str(number)), "1")
        runs = {}
        for count in (1, 100, 1000):
            _write_directory(folder / str(count), count)
            each = [_run("-f", str(folder / str(count)), "--config", str(settings)) for _ in range(RUNS)]
            runs[count] = statistics.median(run.seconds for run in each), each[-1]
        registry.log.clear()
        last = _run("-f", str(folder / "1000"), "--config", str(settings))
        assert len(last.document["objects"]) == 1000, last  # type: ignore[arg-type]  # of JSON
        assert last.code == 0, last
        floor = INDEXES + 2 * SINGLES
        yield Figure("check of 1,000 manifests: requests to registries", len(registry.log), "requests", floor)
        alone = runs[1][0]
        few, many = ((runs[count][0] - alone) / (count - 1) for count in (100, 1000))
        yield Figure("check: CPU time for each manifest, of 1,000 to of 100", many / few, "times", 2, timed=True)
        yield Figure("check of 1,000 manifests: CPU time for each", many * 1000, "ms", timed=True)
        yield Figure("check of 1 manifest: memory", runs[1][1].peak, "MiB")
        yield Figure("check of 1,000 manifests: memory", runs[1000][1].peak, "MiB", 2 * runs[1][1].peak)


def _large(folder: Path) -> Iterator[Figure]:
    one = _deployment("web", f"{REGISTRY}/team/app:1")
    documents = LARGE // len(one)
    item = "- " + one.replace("\n", "\n  ").rstrip(" ")
    forms = {
        "of documents": "---\n".join([one] * documents),
        "that is one list": "apiVersion: v1\nitems:\n" + item * (LARGE // len(item)) + "kind: List\n",
    }
    for name, text in forms.items():
        path = folder / "large.yaml"
        path.write_text(text)
        run = _run("-f", str(path), "--ignore", "*", "--target", "linux/amd64")
        assert run.code == 0, run
        assert len(run.document["objects"]) >= LARGE // len(item), name  # type: ignore[arg-type]  # as above
        yield Figure(f"check of a manifest of 50 MB {name}: memory", run.peak, "MiB")


def _write_directory(folder: Path, count: int) -> None:
    folder.mkdir()
    names = [f"index{number}" for number in range(INDEXES)] + [f"single{number}" for number in range(SINGLES)]
    for number in range(count):
        image = f"{REGISTRY}/team/{names[number % len(names)]}:1"
        (folder / f"{number:04}.yaml").write_text(_deployment(f"web-{number}", image))


def _deployment(name: str, image: str) -> str:
    """A Deployment of some size: 2 KB, as they are."""
    variables = "".join(f"        - name: VARIABLE_{number}\n          value: a value of it\n" for number in range(30))
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\n"
        f"spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: {image}\n        env:\n"
        f"{variables}"
    )


def _settings(registry: Registry, folder: Path) -> Path:
    hosts = folder / "hosts" / REGISTRY
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "{registry.url}"\n')
    path = folder / "settings.yaml"
    path.write_text(json.dumps({"registries": {"hostsDir": str(hosts.parent), "allowedAddresses": ["127.0.0.0/8"]}}))
    return path


def _run(*arguments: str) -> Ran:
    """`podgate check` in a process of its own, against a node of arm64 unless told otherwise."""
    target = () if "--target" in arguments else ("--target", "linux/arm64")
    command = [sys.executable, "-c", PROGRAM, "check", *arguments, *target, "-o", "json"]
    ran = subprocess.run(command, capture_output=True, cwd=ROOT, env=dict(os.environ), check=True)
    code, seconds, peak = ran.stderr.split()[-3:]
    return Ran(int(code), float(seconds), int(peak) / 1024, json.loads(ran.stdout))
