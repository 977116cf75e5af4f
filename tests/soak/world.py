"""The world around podgate, and what is true of it at each time: nodes, namespaces, images, credentials, settings.

Whatever is said here to hold is said just before it is made so, and a slack says how long podgate may not have heard
of it: how long it remembers a tag and a secret, how often it looks at its settings, how fast a broken watch is mended.
"""

from dataclasses import dataclass, field
from typing import Final

from tests.soak.timeline import Timeline

TAG_SECONDS: Final = 5.0
"""cache.tagTTL in these settings: short, so that tags that move are seen to."""
_REVIEW: Final = 2.0
"""Seconds that what podgate was told may be under way: a machine that others use as well is slow now and then."""
_TAG: Final = TAG_SECONDS + _REVIEW
_WATCH: Final = 8.0 + _REVIEW
"""A watch that is cut is begun again after half a second, one whose list fails a few times after a few seconds."""
_SECRET: Final = 30.0 + _REVIEW
"""What a secret held is good for half a minute (cluster/secrets.py)."""
_SETTINGS: Final = 2 * 2.0 + _REVIEW
"""A file counts once two looks, two seconds apart, have seen the same (app/settings_file.py)."""

TENANTS: Final = ("red", "green", "blue")
MOVING_TAGS: Final = 20


@dataclass(frozen=True)
class World:
    """`moved`: whether the image that a tag names runs anywhere. `rare`: whether there is a node of linux/s390x.
    `labelled`: the architectures of nodes with the label pool=gpu. `logins`: which password a tenant has by now.
    `lenient`: whether the namespace `moody` is in mode warn. `exempt`: whether settings exempt some images."""

    moved: tuple[Timeline[bool], ...] = field(
        default_factory=lambda: tuple(Timeline(number % 2 == 0, _TAG) for number in range(MOVING_TAGS))
    )
    rare: Timeline[bool] = field(default_factory=lambda: Timeline(False, _WATCH))
    labelled: Timeline[tuple[str, ...]] = field(default_factory=lambda: Timeline(("amd64",), _WATCH))
    lenient: Timeline[bool] = field(default_factory=lambda: Timeline(False, _WATCH))
    exempt: Timeline[bool] = field(default_factory=lambda: Timeline(False, _SETTINGS))
    logins: dict[str, Timeline[int]] = field(
        default_factory=lambda: {tenant: Timeline(0, _SECRET) for tenant in TENANTS}
    )
