"""The kinds of values that settings have, beside plain ones: durations, quantities, networks, platforms, globs.

Each refuses what it cannot read with a ValueError that says what it wants; pydantic adds the key.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from webhook.core.errors import InvalidReference, MalformedInput
from webhook.core.goduration import parse_duration
from webhook.core.keyring import is_pattern
from webhook.core.kinds import parse_way
from webhook.core.platform import parse_platform
from webhook.core.reference import is_short_name, parse_image, short_name_of

_MULTIPLES: Final = {
    "": 1,
    **{suffix: 1000**power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": 1024**power for power, suffix in enumerate("KMGTPE", start=1)},
}
"""The suffixes of apimachinery's resource.Quantity for whole numbers."""
_QUANTITY: Final = re.compile(r"(\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})([kMGTPE]|[KMGTPE]i|)", re.ASCII)

_HOST: Final = r"(?:[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_GROUP: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
"""An API group, and a resource as well: both are parts of a path (apimachinery, IsDNS1123Subdomain)."""
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_AUTHORITY: Final = re.compile(_HOST)
_SHARE: Final = re.compile(r"[0-9]{0,3}\.?[0-9]{1,17}", re.ASCII)
_URL: Final = re.compile(rf"https?://{_HOST}(?:/[!-\"$->@-~]*)?")
_REALM: Final = re.compile(rf"(?:https?://{_HOST}(?:/[!-~]*)?|{_HOST})")


def seconds(value: object) -> float:
    """A duration as Go writes it (5s, 1m30s, 250ms) in seconds; 0 stands for itself."""
    text = "0" if isinstance(value, int) and not isinstance(value, bool) and value == 0 else value
    try:
        return parse_duration(text if isinstance(text, str) else "") / 1e9
    except ValueError:
        raise ValueError("must be a duration, such as 5s, 250ms or 1m30s") from None


def quantity(value: object) -> int:
    """A quantity of bytes as Kubernetes writes it (32Mi, 1G, 1.5Gi, 4096). It must be whole bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    number = Fraction(match[1].rstrip(".")) * _MULTIPLES[match[2]] if match else Fraction(1, 2)
    if number.denominator != 1:
        raise ValueError("must be a quantity of bytes, such as 32Mi")
    return int(number)


def share(value: object) -> float:
    """A number from 0 to 1, as YAML gives it, or as the text of a variable."""
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError("must be a number from 0 to 1")


def _http_url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("must be a URL without user and query, such as http://collector:4318/v1/traces")
    return value


def _network(value: str) -> str:
    """A CIDR. Host bits are refused, since they are mostly a slip; one address is a network of one."""
    try:
        ipaddress.ip_network("" if "%" in value else value)  # a zone belongs to an address, not to a network
    except ValueError:
        raise ValueError("must be a CIDR without host bits, such as 10.0.0.0/8") from None
    return value


def _platform(value: str) -> str:
    try:
        parse_platform(value)
    except MalformedInput as error:
        raise ValueError(error.problem) from error
    return value


def _runtime(value: str) -> str:
    if value and not all(value.partition("://")):
        raise ValueError("must be NAME://VERSION, such as containerd://2.1.4")
    return value


def _host(value: str) -> str:
    if not _AUTHORITY.fullmatch(value):
        raise ValueError("must be the host of a registry, with a port where it has one")
    return value.lower()


def _short_names(value: str) -> str:
    """A registry as it stands in unqualified-search-registries; `myreg` would be read as a part of a name."""
    try:
        complete = parse_image(f"{value}/a")
    except InvalidReference:
        complete = None
    if complete is None or is_short_name(f"{value}/a") or "/" in value:
        raise ValueError("must be the host of a registry, such as docker.io")
    return value


def _aliases(value: Mapping[str, str]) -> Mapping[str, str]:
    """As CRI-O demands of [aliases]: a short name, and a repository with its registry; neither with tag or digest."""
    for name, repository in value.items():
        if not is_short_name(name) or short_name_of(name) != name:
            raise ValueError(f"{name!r} is no unqualified name without tag and digest, such as fedora")
        if not _is_repository(repository):
            raise ValueError(f"{name}: must be a repository with its registry, such as registry.example/fedora")
    return _frozen(value)


def _is_repository(text: str) -> bool:
    try:
        parse_image(text)
    except InvalidReference:
        return False
    return not is_short_name(text) and short_name_of(text) == text


def _realm(value: str) -> str:
    if not _REALM.fullmatch(value):
        raise ValueError("must be the URL of a token service, or its host")
    return value


def _pattern(value: str) -> str:
    bare = value.removeprefix("https://").removeprefix("http://")
    if not bare or bare.startswith("/") or not is_pattern(bare):
        raise ValueError("must be host[:port][/path], such as *.reg.example/team")
    return value


def _group(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise ValueError("must be an API group, such as argoproj.io")
    return value


def _resource(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise ValueError("must be the plural of a kind in lower case, such as rollouts")
    return value


def _kind(value: str) -> str:
    if value and not _KIND.fullmatch(value):
        raise ValueError("must be a kind, such as Rollout")
    return value


def _object_name(value: str) -> str:
    if len(value) > 253 or not _GROUP.fullmatch(value):
        raise ValueError("must be an object's name: lower case, digits, - and .")
    return value


def _template_path(value: str) -> str:
    try:
        parse_way(value)
    except MalformedInput as error:
        raise ValueError(error.problem) from error
    return value


def _one_form(value: str | None, info: ValidationInfo) -> str | None:
    """Credentials are a file of docker's, or a pattern, a user and a password: neither both nor half of one."""
    if "docker_config_file" not in info.data:
        return value  # that key is wrong already
    if info.data["docker_config_file"] is not None and value is not None:
        raise ValueError("does not go with dockerConfigFile")
    if info.data["docker_config_file"] is None and value is None:
        raise ValueError("is missing (or dockerConfigFile instead)")
    return value


Measure = Literal["duration", "size", "number", "share"]


@dataclass(frozen=True, slots=True)
class Between:
    """The range of a value, both ends included, in the form in which settings write it."""

    least: str
    most: str
    measure: Measure

    def __call__(self, value: float) -> float:
        """The value itself. Raises ValueError where it is out of range."""
        if not self._read(self.least) <= value <= self._read(self.most):
            raise ValueError(f"must be from {self.least} to {self.most}")
        return value

    def _read(self, bound: str) -> float:
        if self.measure in ("number", "share"):
            return int(bound)
        return seconds(bound) if self.measure == "duration" else quantity(bound)


def lasting(least: str, most: str) -> AfterValidator:
    """Bounds of a duration."""
    return AfterValidator(Between(least, most, "duration"))


def sized(least: str, most: str) -> AfterValidator:
    """Bounds of a quantity of bytes."""
    return AfterValidator(Between(least, most, "size"))


def counting(least: int, most: int) -> AfterValidator:
    """Bounds of a number."""
    return AfterValidator(Between(str(least), str(most), "number"))


def sharing() -> AfterValidator:
    """Bounds of a share."""
    return AfterValidator(Between("0", "1", "share"))


def _frozen(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


def _shown(pattern: str, *others: Mapping[str, object]) -> WithJsonSchema:
    """What a JSON schema can say of a text: a pattern that lets through all that is right, and some that is not."""
    text = {"type": "string", "pattern": pattern}
    return WithJsonSchema({"anyOf": [text, *map(dict, others)]} if others else text)


Seconds = Annotated[
    float, BeforeValidator(seconds), _shown(r"^\+?(0|([0-9]*\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+)$", {"const": 0})
]
Bytes = Annotated[
    int, BeforeValidator(quantity), _shown(r"^[0-9]*\.?[0-9]*([kMGTPE]|[KMGTPE]i)?$", {"type": "integer", "minimum": 0})
]
Share = Annotated[float, BeforeValidator(share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
HttpUrl = Annotated[str, AfterValidator(_http_url), _shown(r"^https?://[^\s?#@]+$")]
Network = Annotated[str, AfterValidator(_network), _shown(r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$")]
PlatformText = Annotated[str, AfterValidator(_platform), _shown(r"^[^/:]+(/[^/:]+){1,2}(:[^/:]+)?$")]
RuntimeText = Annotated[str, AfterValidator(_runtime), _shown(r"^(.+://.+)?$")]
GroupName = Annotated[str, AfterValidator(_group), _shown(rf"^{_GROUP.pattern}$")]
ResourceName = Annotated[str, AfterValidator(_resource), _shown(rf"^{_GROUP.pattern}$")]
KindName = Annotated[str, AfterValidator(_kind), _shown(rf"^({_KIND.pattern})?$")]
TemplatePath = Annotated[str, AfterValidator(_template_path), _shown(r"^(\.[A-Za-z_][A-Za-z0-9_-]*)+$")]
Host = Annotated[str, AfterValidator(_host), _shown(r"^[^\s/]+$")]
NonEmpty = Annotated[str, Field(min_length=1)]
ShortNames = Annotated[str, AfterValidator(_short_names), _shown(r"^[^\s/]+$")]
Aliases = Annotated[Mapping[NonEmpty, NonEmpty], AfterValidator(_aliases)]
RealmText = Annotated[str, AfterValidator(_realm), _shown(r"^\S+$")]
Pattern = Annotated[str, AfterValidator(_pattern)]
ObjectName = Annotated[str, AfterValidator(_object_name), _shown(rf"^{_GROUP.pattern}$")]
Labels = Annotated[Mapping[NonEmpty, str], AfterValidator(_frozen)]
ONE_FORM: Final = AfterValidator(_one_form)
"""For the keys of one of two forms; the other form's key stands before them."""
