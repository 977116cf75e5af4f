"""Cases that are tables (`pure`), as runs against registries: each row becomes a run, or an object of one."""

from collections.abc import Callable, Iterator
from typing import Final

from tests.cases.content import CaseError, Json, check_keys

CASE_KEYS: Final = {
    *("id", "area", "because", "confidence", "note", "content", "registry", "secrets", "dockerConfig", "nodes"),
    *("settings", "objects", "expect", "pure"),
}
AMD64: Final = {"index": ["linux/amd64"]}
NODE: Final = {"name": "n1", "platform": "linux/amd64"}

Runs = Iterator[tuple[str, Json]]


def runs(case: Json) -> Runs:
    """The runs of a case, by id, without `pure`."""
    check_keys(f"case {case.get('id')}", case, CASE_KEYS)
    for key in ("id", "area", "because"):
        if not case.get(key):
            raise CaseError(f"case {case.get('id')}: {key} missing")
    if case.get("confidence", "high") not in ("high", "medium", "low"):
        raise CaseError(f"case {case['id']}: confidence")
    if "pure" not in case:
        if not case.get("expect"):
            raise CaseError(f"case {case['id']}: nothing expected")
        yield case["id"], case
        return
    pure = case["pure"]
    check_keys(f"{case['id']} pure", pure, {"kind", "rows", "nodes"})
    if not pure.get("rows"):
        raise CaseError(f"case {case['id']}: no rows")
    base = {key: value for key, value in case.items() if key != "pure"}
    yield from _TABLES[pure["kind"]](base, pure)


def _rows(base: Json, pure: Json, keys: set[str]) -> Iterator[tuple[int, Json]]:
    for number, row in enumerate(pure["rows"], 1):
        check_keys(f"{base['id']} row {number}", row, keys)
        yield number, row


def _reference(base: Json, pure: Json) -> Runs:
    """What a reference is read as shows in what is asked for."""
    content: Json = dict(base.get("content", {}))
    registry: Json = {}
    objects: list[Json] = []
    expected: Json = {}
    asked: list[Json] = []
    for number, row in _rows(base, pure, {"input", "host", "repository", "tag", "digest", "invalid", "unusable"}):
        name = f"row-{number}"
        objects.append({"name": name, "image": row["input"]})
        if row.get("invalid") or row.get("unusable"):
            error = "invalid-reference" if row.get("invalid") else "any"
            expected[name] = {"images": {"app": {"error": error}}}
            continue
        host, repository = row["host"], row["repository"]
        repositories = registry.setdefault(host, {"repositories": {}})["repositories"]
        held = repositories.setdefault(repository, {"tags": {}, "also": []})
        if "digest" in row:
            document, reference = row["digest"], f"${{digest:{row['digest']}}}"
            held["also"].append(document)
        else:
            reference = row["tag"]
            document = held["tags"].setdefault(reference, name)
            content.setdefault(document, AMD64)
        resolved = f"{host}/{repository}@${{digest:{document}}}"
        expected[name] = {"images": {"app": {"error": None, "resolved": resolved}}}
        asked.append({"host": host, "path": f"/v2/{repository}/manifests/{reference}", "count": ">=1"})
    wanted = {"objects": expected, "requests": asked}
    case = {"content": content, "registry": registry, "nodes": [NODE], "objects": objects, "expect": wanted}
    yield base["id"], {**base, **case}


def _match(base: Json, pure: Json) -> Runs:
    """Each row an image and a node of its own."""
    tags: Json = {}
    nodes: list[Json] = []
    objects: list[Json] = []
    expected: Json = {}
    for number, row in _rows(base, pure, {"node", "index", "config", "docker", "is"}):
        name = f"row-{number}"
        option = {"docker": row["docker"]} if "docker" in row else {}
        tags[name] = {"index": row["index"], **option} if "index" in row else {"manifest": row["config"], **option}
        label = {"row": str(number)}
        nodes.append({**row["node"], "name": name, "labels": {**row["node"].get("labels", {}), **label}})
        objects.append({"name": name, "image": f"reg.example/match:{name}", "pod": {"nodeSelector": label}})
        expected[name] = {"nodes": {name: row["is"]}}
    registry = {"reg.example": {"repositories": {"match": {"tags": tags}}}}
    case = {"registry": registry, "nodes": nodes, "objects": objects, "expect": {"objects": expected}}
    yield base["id"], {**base, **case}


def _schedule(base: Json, pure: Json) -> Runs:
    """An image for everything: what is looked at is which nodes are candidates."""
    objects: list[Json] = []
    expected: Json = {}
    names = [one["name"] for one in pure["nodes"]]
    for number, row in _rows(base, pure, {"kind", "pod", "metadata", "candidates"}):
        name = f"row-{number}"
        pod, metadata = row.get("pod", {}), row.get("metadata", {})
        short = {"name": name, "image": "reg.example/app:1", "pod": pod, "metadata": metadata}
        objects.append({"kind": row.get("kind", "Pod"), **short})
        wanted = row["candidates"]
        nowhere = {"notCandidates": names, "decision": ["allow", "warn"]}
        expected[name] = {"candidates": wanted} if wanted else nowhere
    architectures = ["amd64", "arm64", "s390x", "ppc64le", "riscv64"]
    index = {"index": ["windows/amd64", *(f"linux/{one}" for one in architectures)]}
    registry = {"reg.example": {"repositories": {"app": {"tags": {"1": index}}}}}
    case = {"registry": registry, "nodes": pure["nodes"], "objects": objects, "expect": {"objects": expected}}
    yield base["id"], {**base, **case}


def _keyring(base: Json, pure: Json) -> Runs:
    """Every credential is refused, so that all that match are tried, one after the other."""
    for number, row in _rows(base, pure, {"image", "secrets", "users"}):
        host, repository = hub(row["image"])
        repositories = {repository: {"tags": {"1": AMD64}}}
        requests: list[Json] = [{"host": host, "users": row["users"]}]
        if not row["users"]:
            requests = [
                {"host": host, "authorization": "any", "count": "never"},
                {"host": host, "path": f"/v2/{repository}/manifests/*", "count": ">=1"},
            ]
        refused = {"app": {"images": {"app": {"error": "unauthorized"}}}}
        case = {
            "registry": {host: {"auth": {"scheme": "basic"}, "repositories": repositories}},
            "secrets": row["secrets"],
            "nodes": [NODE],
            "objects": [{"name": "app", "image": row["image"], "secrets": list(row["secrets"])}],
            "expect": {"objects": refused, "requests": requests},
        }
        yield f"{base['id']}#{number}", {**base, **case}


def _challenge(base: Json, pure: Json) -> Runs:
    """One registry that answers 401 with the header lines; what the client does then is looked at."""
    shapes = ("fields", "expires_in", "empty")
    for number, row in _rows(base, pure, {"lines", "realm", "token", "basic", "none", *shapes}):
        auth = {
            "scheme": "basic" if row.get("basic") else "bearer",
            "users": {"puller": "challenge-word"},
            "challenge": row["lines"],
            "realm": row.get("realm", "${url:auth.example}/token"),
            "token": {key: row[key] for key in shapes if key in row},
        }
        repositories = {"team/app": {"tags": {"1": AMD64}}}
        image, requests = _answer_to_challenge(row)
        case = {
            "registry": {"reg.example": {"auth": auth, "repositories": repositories}, "auth.example": {}},
            "nodes": [NODE],
            "dockerConfig": {"auths": {"reg.example": "puller:challenge-word"}},
            "objects": [{"name": "app", "image": "reg.example/team/app:1"}],
            "expect": {"objects": {"app": {"images": {"app": image}}}, "requests": requests},
        }
        yield f"{base['id']}#{number}", {**base, **case}


def _answer_to_challenge(row: Json) -> tuple[Json, list[Json]]:
    """What is expected of the image, and of the requests."""
    basic = {"host": "reg.example", "authorization": "Basic puller:challenge-word"}
    no_token = {"host": "auth.example", "count": "never"}
    if row.get("basic"):
        return {"error": None}, [basic, no_token]
    if row.get("none") or row.get("empty"):
        empty_token = {"host": "reg.example", "authorization": "Bearer ", "count": "never"}
        requests = [{**basic, "count": "never"}, empty_token, *([no_token] if row.get("none") else [])]
        return {"error": ["unauthorized", "unsupported", "malformed"]}, requests
    token = {"host": "auth.example", **row["token"]}
    bearer = {"host": "reg.example", "authorization": "Bearer *"}
    return {"error": None, "platforms": ["linux/amd64"]}, [token, {**basic, "count": "never"}, bearer]


_TABLES: Final[dict[str, Callable[[Json, Json], Runs]]] = {
    "reference": _reference,
    "match": _match,
    "schedule": _schedule,
    "keyring": _keyring,
    "challenge": _challenge,
}


def hub(image: str) -> tuple[str, str]:
    """Host and repository of a plain image name, with Docker Hub's two defaults."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name if slash else f"library/{name}"
    elif first in ("docker.io", "index.docker.io"):
        first, rest = "docker.io", rest if "/" in rest else f"library/{rest}"
    return first, rest.partition(":")[0]
