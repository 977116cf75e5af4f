"""An image config as dockerd reads it: image.NewFromJSON, which moby's lookup begins with.

dockerd refuses a whole config for one field of a wrong type, even one that has nothing to do with platforms. That is
right for dockerd, whose answers golden/moby has; podgate asks a config for its platform alone (manifest.py).

Sources: moby image/image.go, image/rootfs.go, api/types/container/config.go, api/types/strslice of v28.5.2;
moby/docker-image-spec v1.3.1; time.Time.UnmarshalJSON.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Any, TypeVar

from webhook.core.descriptor import PLATFORM, GoPlatform
from webhook.core.errors import MalformedDocument
from webhook.core.gojson import BOOL, STRING, Custom, Field, Int, Map, Pointer, Slice, Spec, Struct, decode, decode_node
from webhook.core.jsontree import InvalidJSON, Node, Number
from webhook.core.platform import Platform

T = TypeVar("T")


@dataclass(slots=True)
class _RootFS:
    type: str = ""
    diff_ids: list[str] | None = None


@dataclass(slots=True)
class _Image(GoPlatform):
    rootfs: _RootFS | None = None


def _checked(fields: Mapping[str, Spec[Any]], base: type[T], named: Mapping[str, Field]) -> Struct[T]:
    """A Go struct of which `base` keeps the `named` fields; the others only have to be of their type."""
    places = {name: (f"checked_{number}", spec) for number, (name, spec) in enumerate(fields.items())}
    extra = [(attribute, object, field(default_factory=spec.zero)) for attribute, spec in places.values()]
    return Struct(make_dataclass(base.__name__, extra, bases=(base,), slots=True), {**places, **named})


@dataclass(slots=True)
class _Nothing:
    """The base of a struct of which nothing is kept."""


# Laxer than RFC 3339, as time.Parse is: one digit of an hour, a comma, offsets of 24 hours or 60 minutes.
_TIME = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-(\d\d)T(?:[01]\d|2[0-3]|\d):[0-5]\d:[0-5]\d(?:[.,]\d+)?"
    r"(?:Z|[+-](?:[01]\d|2[0-4]):(?:[0-5]\d|60))",
    re.ASCII,
)


def _time(node: Node, _current: None) -> None:
    """A time as time.Time.UnmarshalJSON takes it. Raises ValueError."""
    if node is None:
        return
    if not isinstance(node, str) or isinstance(node, Number):
        raise ValueError("a time that is no string")  # noqa: TRY004  # the type of a text's part, not of an argument
    found = _TIME.fullmatch(node)
    year = int(found[1]) if found else 0
    if not found or not 1 <= int(found[3]) <= _days(year, int(found[2])):
        raise ValueError("not a time as RFC 3339 writes it")


def _days(year: int, month: int) -> int:
    """The days of a month; the year 0 is a leap year."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def _words(node: Node, _current: None) -> None:
    """A strslice: an array of strings, or one string. Raises InvalidJSON."""
    spec: Spec[Any] = Slice(STRING)
    if decode_node(node, spec, None)[1] is not None:
        error = decode_node(node, STRING, "")[1]
        if error is not None:
            raise error


_OPTIONAL_TIME = Pointer(Custom(lambda: None, _time))
_WORDS = Custom(lambda: None, _words)

_HEALTH = _checked(
    {
        "Test": Slice(STRING),
        **dict.fromkeys(("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"), Int()),
    },
    _Nothing,
    {},
)

_CONTAINER = _checked(
    {
        **dict.fromkeys(("Hostname", "Domainname", "User", "Image", "WorkingDir", "MacAddress", "StopSignal"), STRING),
        **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"), BOOL),
        **dict.fromkeys(("ArgsEscaped", "NetworkDisabled"), BOOL),
        **dict.fromkeys(("Cmd", "Entrypoint", "Shell"), _WORDS),
        **dict.fromkeys(("Env", "OnBuild"), Slice(STRING)),
        **dict.fromkeys(("ExposedPorts", "Volumes"), Map(Struct(_Nothing, {}))),
        "Labels": Map(STRING),
        "Healthcheck": Pointer(_HEALTH),
        "StopTimeout": Pointer(Int()),
    },
    _Nothing,
    {},
)

_HISTORY = _checked(
    {
        **dict.fromkeys(("created_by", "author", "comment"), STRING),
        "created": _OPTIONAL_TIME,
        "empty_layer": BOOL,
    },
    _Nothing,
    {},
)

_IMAGE = _checked(
    {
        **dict.fromkeys(("id", "parent", "comment", "container", "docker_version", "author"), STRING),
        "created": _OPTIONAL_TIME,
        "container_config": _CONTAINER,
        "config": Pointer(_CONTAINER),
        "Size": Int(),
        "history": Slice(_HISTORY),
    },
    _Image,
    {
        **PLATFORM.fields,
        "rootfs": (
            "rootfs",
            Pointer(Struct(_RootFS, {"type": ("type", STRING), "diff_ids": ("diff_ids", Slice(STRING))})),
        ),
    },
)


def read_image(text: bytes) -> Platform:
    """The platform that dockerd finds in a config. Raises MalformedDocument where dockerd has no image."""
    try:
        image = decode(text, _IMAGE)
    except InvalidJSON as error:
        raise MalformedDocument(error.problem, error.path) from None
    if image.rootfs is None:
        raise MalformedDocument("an image config without rootfs", "rootfs")
    return image.frozen()
