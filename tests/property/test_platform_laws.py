"""Laws of platforms, for any spelling."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from webhook.core import platform as p
from webhook.core.gotext import atoi, to_lower, trim_space
from webhook.core.platform import (
    Library,
    Platform,
    config_match,
    crio,
    exact,
    format_platform,
    normalized,
    only,
    only_os,
    ordered,
    parse_platform,
)

NUMBERS = st.one_of(
    st.sampled_from(["", "x", "+3", "-1", "03"]),
    st.integers(0, 12).map(str),
    st.tuples(st.integers(7, 10), st.integers(0, 11)).map(lambda pair: f"{pair[0]}.{pair[1]}"),
)
VARIANTS = st.one_of(st.just(""), NUMBERS.map("v{}".format), NUMBERS, NUMBERS.map("V{}".format), st.text(max_size=4))
PLATFORMS = st.builds(
    Platform,
    st.sampled_from(["linux", "Linux", "windows", "Windows", "macos", "darwin", "unknown"]) | st.text(max_size=5),
    st.sampled_from(["amd64", "x86_64", "arm64", "aarch64", "arm", "armhf", "armel", "386", "i386", "s390x", ""])
    | st.text(max_size=5),
    VARIANTS,
    st.sampled_from(["", "10.0", "10.0.17763", "10.0.20348.1", "10.0.26100", "10.0.26200", "10.0.99999"]),
    st.lists(st.sampled_from(["win32k", "gpu", "sgx"]), max_size=3).map(tuple),
)
LIBRARIES = st.sampled_from([p.V0_2, p.RC0, p.RC1, p.RC2, p.RC3, p.RC4, p.RC5])


def built_walk(node: Platform) -> list[tuple[str, str]]:
    """The list that platforms.Only makes of a normalized node (compare.go, platformVector), step by step."""
    if node.architecture == "amd64":
        level = atoi(node.variant.removeprefix("v")) or 0
        lower = [("amd64", f"v{number}") for number in range(level - 1, 0, -1)]
        return [("amd64", node.variant), *lower, ("386", "")]
    if node.architecture == "arm":
        version = atoi(node.variant.removeprefix("v")) or 0
        return [("arm", node.variant), *(("arm", f"v{number}") for number in range(version - 1, 4, -1))]
    if node.architecture == "arm64":
        eights = {f"v8.{minor}": [(8, minor)] for minor in range(1, 10)}
        nines = {f"v9.{minor}": [(9, minor), (8, min(minor + 5, 9))] for minor in range(1, 8)}
        known = {"": [(8, 0)], "v9": [(9, 0), (8, 5)], **eights, **nines}
        steps = [
            ("arm64", f"v{major}.{minor}")
            for major, highest in known.get(node.variant, [])
            for minor in range(highest, -1, -1)
        ]
        return [*steps, *built_walk(Platform(node.os, "arm", "v8"))] if steps else []
    return [(node.architecture, node.variant)]


@given(PLATFORMS, PLATFORMS)
def test_the_computed_step_is_the_place_in_the_list(node, image):
    """ "Matchers give a rank or None, not a boolean, computed and not looked up in a built vector" (design, core)."""
    image = replace(image, os=node.os, os_version="", os_features=())
    mine = normalized(node)
    places = [
        place
        for place, (architecture, variant) in enumerate(built_walk(mine))
        if exact(Platform(node.os, architecture, variant), image) is not None
    ]
    assert only(node, image) == ((places[0], 0) if places else None)


@given(PLATFORMS, LIBRARIES)
def test_normalizing_twice_is_normalizing_once(platform, library):
    """ "Normalize validates and translate the platform to the canonical value" (platforms.go)."""
    once = normalized(platform, "linux", library)
    assert normalized(once, "linux", library) == once


@given(PLATFORMS, PLATFORMS, LIBRARIES)
def test_strict_is_the_first_step_of_only(node, image, library: Library):
    """ "Unlike Only, OnlyStrict does not match sub platforms" (compare.go)."""
    strict, walked = exact(node, image, library), only(node, image, library)
    if strict is not None:
        assert walked in (strict, None)  # None: a variant that is missing from the library's table
    elif walked is not None:
        assert walked[0] > 0


@given(PLATFORMS, LIBRARIES)
def test_a_platform_takes_itself(platform, library):
    """ "OnlyStrict matches non-canonical forms" (compare.go); a Windows image version that cannot be read does not fit
    even where it came from the host, so versions are left out here."""
    platform = replace(platform, os_version="")
    assert exact(platform, platform, library) is not None
    assert only_os(platform, platform, library) is not None


@given(PLATFORMS, PLATFORMS)
def test_spelling_of_the_image_does_not_count(node, image):
    image = replace(image, os_features=())
    spelled = normalized(image, node.os)
    assert only(node, image) == only(node, spelled)
    assert ordered(node, image) == ordered(node, spelled)


@given(PLATFORMS, PLATFORMS)
def test_containers_image_compares_three_strings(node, image):
    """ "this does not use Platform.OSFeatures and Platform.OSVersion at all" (platform_matcher.go)."""
    bare = Platform(image.os, image.architecture, image.variant)
    assert crio(node, image) == crio(node, bare)
    if crio(node, image) is not None:
        assert (node.os, node.architecture) == (image.os, image.architecture)


@given(PLATFORMS, PLATFORMS)
def test_a_config_without_variant_suits_every_variant(node, config):
    """ "The config has the node's os and architecture and no variant: runs" (design, resolver, step 2)."""
    plain = replace(config, os=node.os, architecture=node.architecture, variant="")
    suits = config_match(node, plain)
    bare = Platform(node.os, node.architecture, node.variant)
    assert suits == ("fits" if only(bare, Platform(node.os, node.architecture)) is not None else "variant-not-given")
    if config_match(node, config) == "variant-not-given":
        assert config.variant == ""


@given(
    st.sampled_from(["linux", "windows", "darwin"]),
    st.sampled_from(["amd64", "arm64", "riscv64", "s390x"]),
    st.sampled_from(["", "v2", "v8", "v9.2"]),
    st.sampled_from(["", "10.0.20348", "10.0.17763.5820"]),
)
def test_what_is_printed_can_be_read(system, architecture, variant, build):
    platform = Platform(system, architecture, variant, build if system == "windows" else "")
    assert parse_platform(format_platform(platform)) == platform


@given(st.integers(-(2**63), 2**63 - 1))
def test_atoi_reads_what_itoa_writes(number):
    assert atoi(str(number)) == number


@given(st.text())
def test_text_keeps_its_length_in_lower_case_and_no_space_at_its_ends(text):
    assert len(to_lower(text)) == len(text)
    assert trim_space(trim_space(text)) == trim_space(text)
    assert trim_space(f"\t{text}\u3000") == trim_space(text)
