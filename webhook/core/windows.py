"""Windows builds: which containers a Windows host runs, by the rule that containerd applies to os.version."""

from webhook.core.gotext import parse_uint

LTSC2022 = 20348
"""Windows Server 2022: before it only the very same build runs, from it on the host is compatible with older builds."""

LTSC2025 = 26100
"""Windows Server 2025."""

Version = tuple[int, int, int]
UNKNOWN: Version = (0, 0, 0)

NO_BUILD = "255.255.65535"
"""The version of a host that takes no image which names one: no Windows has it."""


def parse_version(text: str) -> Version:
    """Major, minor and build of "10.0.20348" or "10.0.20348.2227"; UNKNOWN where Go's reader makes nothing of it."""
    parts = text.split(".", 3)
    if len(parts) < 3:
        return UNKNOWN
    major, minor, build = parse_uint(parts[0], 8), parse_uint(parts[1], 8), parse_uint(parts[2], 16)
    if major is None or minor is None or build is None:
        return UNKNOWN
    return major, minor, build


def host_takes(host: str, image: str, newest_floor: int, *, hyperv: bool = False) -> bool:
    """Whether a host of one os.version runs an image of another.

    A host or image without a version takes everything, and so does a host whose version cannot be read; an image whose
    version cannot be read counts as 0.0.0. `newest_floor` is the oldest build that a host above LTSC2025 takes; the
    library changed its mind about it (see platform.Library).

    `hyperv`: the container gets a kernel of its own, of its own build, so that only one newer than the host's is too
    new (Microsoft's "Windows container version compatibility").
    """
    host_version = parse_version(host)
    if host_version == UNKNOWN or not image:
        return True
    image_version = parse_version(image)
    if host_version[:2] != image_version[:2]:
        return False
    host_build, image_build = host_version[2], image_version[2]
    if hyperv:
        return image_build <= host_build
    if host_build < LTSC2022:
        return host_build == image_build
    floor = newest_floor if host_build > LTSC2025 else LTSC2022
    return floor <= image_build <= host_build
