"""Settings: one frozen tree, from a YAML file and the environment (docs/settings.md describes every key).

Keys are camelCase, as in the configuration files of Kubernetes. Unknown keys, wrong types and values out of range are
refused with the key's path (MalformedSettings). A key whose feature does not exist yet is refused as `not yet`: a
setting that is taken and does nothing would be a promise broken in silence.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from webhook.core.errors import MalformedInput, MalformedSettings
from webhook.core.platform import parse_platform

CONFIG_VARIABLE: Final = "PODGATE_CONFIG"
"""The environment variable that names the settings file where --config does not."""

NOT_YET: Final = frozenset(
    {
        "binding",
        "events",
        "kinds",
        "nodes.nodePools",
        "registries.shortNames",
        "registries.credentials",
        "registries.credentialProviders",
        "cache.staleFor",
    }
)
"""Keys that the design has and this version does not do anything with."""

_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE_UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def _seconds(value: object) -> object:
    """A duration as Go writes it (5s, 1m30s, 250ms) in seconds; 0 stands for itself."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if not isinstance(value, str) or not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", value, re.ASCII):
        raise ValueError("not a duration such as 5s, 250ms or 1m30s")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value)
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)


def _bytes(value: object) -> object:
    """A quantity of bytes as Kubernetes writes it (32Mi, 1G, 4096)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+)(Ki|Mi|Gi|k|M|G|)", value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a quantity of bytes such as 32Mi")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def _network(value: str) -> str:
    """A CIDR; host bits are refused, since they are mostly a slip."""
    ipaddress.ip_network(value)
    return value


def _platform(value: str) -> str:
    """A platform that has both parts."""
    try:
        parse_platform(value)
    except MalformedInput as error:
        raise ValueError(error.problem) from error
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]
Bytes = Annotated[int, BeforeValidator(_bytes)]
Network = Annotated[str, AfterValidator(_network)]
Action = Literal["allow", "warn", "deny"]
Mode = Literal["deny", "warn", "audit", "off"]


class _Tree(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Decisions(_Tree):
    """What follows from each reason; `allow` is silent."""

    mismatch: Action = "deny"
    partial: Action = "warn"
    undetermined: Action = "warn"
    no_candidates: Action = "warn"
    daemon_set_pods: Action = "warn"


class DeclaredTaint(_Tree):
    """A taint of a node shape."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class DeclaredNode(_Tree):
    """A node shape that may come: judged like a node that is there."""

    platform: Annotated[str, AfterValidator(_platform)]
    runtime: str = ""
    labels: dict[str, str] = {}
    taints: Annotated[tuple[DeclaredTaint, ...], Field(strict=False)] = ()


class Nodes(_Tree):
    """Which nodes count beside those that exist."""

    declared: Annotated[tuple[DeclaredNode, ...], Field(strict=False)] = ()
    node_pools: bool = True
    transient_taints: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Exempt(_Tree):
    """What is never judged: globs on namespaces, and on normalised image names."""

    namespaces: Annotated[tuple[str, ...], Field(strict=False)] = ("kube-system",)
    images: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Realm(_Tree):
    """A token realm of another domain that may get a registry's credentials."""

    registry: str
    realm: str


class Registries(_Tree):
    """How registries are reached, and which must not be."""

    short_names: str | None = None
    hosts_dir: str | None = None
    allowed_addresses: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    denied_addresses: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    allowed_hosts: Annotated[tuple[str, ...], Field(strict=False)] = ()
    realms: Annotated[tuple[Realm, ...], Field(strict=False)] = ()
    credentials: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = ()
    credential_providers: dict[str, Any] | None = None
    request_timeout: Annotated[Seconds, Field(gt=0, le=300)] = 5.0
    concurrency_per_host: Annotated[int, Field(ge=1, le=1024)] = 64


class Cache(_Tree):
    """Bounds of what is remembered of registries."""

    max_bytes: Annotated[Bytes, Field(ge=1 << 20, le=1 << 36)] = 32 << 20
    tag_ttl: Annotated[Seconds, Field(alias="tagTTL", ge=0, le=86400)] = 60.0
    negative_ttl: Annotated[Seconds, Field(alias="negativeTTL", ge=0, le=3600)] = 10.0
    stale_for: Annotated[Seconds, Field(ge=0, le=30 * 86400)] = 86400.0


class Log(_Tree):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Server(_Tree):
    """Where `serve` listens. Ports 0: any free one (it is logged). The metrics port is plain HTTP and has no secret.

    `shutdown_delay` is how long reviews are served after SIGTERM, so that every API server is told first."""

    address: str = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 8443
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    certificate_dir: str = "/etc/podgate/tls"
    max_body_bytes: Annotated[Bytes, Field(ge=1 << 20, le=1 << 27)] = 16 << 20
    shutdown_delay: Annotated[Seconds, Field(ge=0, le=300)] = 10.0


class Settings(_Tree):
    """The whole tree; the defaults are those of the command line (the chart's own say mode warn)."""

    mode: Mode = "deny"
    namespace_label: Literal["any", "stricter", "ignored"] = "any"
    decisions: Decisions = Decisions()
    binding: Literal["off", "warn", "deny"] = "off"
    events: bool = True
    kinds: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = ()
    nodes: Nodes = Nodes()
    exempt: Exempt = Exempt()
    registries: Registries = Registries()
    cache: Cache = Cache()
    deadline_margin: Annotated[Seconds, Field(ge=0, le=30)] = 1.0
    log: Log = Log()
    server: Server = Server()


def load_settings(path: str | None, environment: Mapping[str, str]) -> Settings:
    """The settings of a file (None: the one that PODGATE_CONFIG names, else the defaults), with the environment on top.

    A variable PODGATE_ and the key's path in capitals, such as PODGATE_MODE or PODGATE_LOG_LEVEL, sets a single value.
    Raises MalformedSettings, whose text names the file and the key.
    """
    chosen = path or environment.get(CONFIG_VARIABLE) or None
    tree = _read(chosen) if chosen else {}
    for keys, text in _from_environment(environment):
        _set(tree, keys, text)
    return parse_settings(tree, chosen or "settings")


def parse_settings(tree: Mapping[str, object], name: str = "settings") -> Settings:
    """Settings from a tree as YAML gives it; raises MalformedSettings."""
    for key in sorted(NOT_YET):
        if _has(tree, key):
            raise MalformedSettings("not yet: this version has nothing behind that key", f"{name}: {key}")
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        problem = {"extra_forbidden": "unknown key"}.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise MalformedSettings(problem, f"{name}: {_path(first['loc'])}") from None


def _read(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise MalformedSettings(error.strerror or "cannot be read", path) from error
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise MalformedSettings("not YAML" + (f" (line {mark.line + 1})" if mark else ""), path) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise MalformedSettings("not a mapping of keys", path)
    return tree


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], object]]:
    for keys, annotation in _leaves(Settings, ()):
        name = "PODGATE_" + "_".join(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).upper() for key in keys)
        if name in environment:
            text = environment[name]
            number = annotation in (int, bool) and re.fullmatch(r"\d+|true|false", text)
            yield keys, yaml.safe_load(text) if number else text


def _leaves(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The single values of the tree: those that are neither lists nor mappings."""
    for name, field in model.model_fields.items():
        keys = (*above, field.alias or name)
        annotation: Any = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _leaves(annotation, keys)
        elif not str(annotation).startswith(("tuple", "dict", "typing.Optional[dict", "dict[str")):
            yield keys, annotation


def _set(tree: dict[str, Any], keys: tuple[str, ...], value: object) -> None:
    for key in keys[:-1]:
        below = tree.setdefault(key, {})
        if not isinstance(below, dict):
            return  # the file is wrong there, and is refused with that key's path
        tree = below
    tree[keys[-1]] = value


def _has(tree: object, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return True


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
