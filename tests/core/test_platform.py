"""Platforms, by the table that the originals filled in (platform-vectors.yaml), and by what no table can hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.core import platform as p
from webhook.core.errors import MalformedInput, MalformedPlatform
from webhook.core.platform import (
    Library,
    Platform,
    Rank,
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

TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "platform-vectors.yaml").read_text("utf-8"))


def declared(row: dict[str, Any]) -> Platform:
    return Platform(
        row.get("os", ""),
        row.get("arch", ""),
        row.get("variant", ""),
        row.get("osVersion", ""),
        tuple(row.get("osFeatures") or ()),
    )


def on_linux(platform: Platform) -> Platform:
    """The table was filled in on linux, which the originals take for an empty os."""
    return replace(platform, os=platform.os or "linux")


def named(row: dict[str, Any]) -> str:
    return str(row["n"])


@pytest.mark.parametrize("row", TABLE["vectors"], ids=named)
def test_vectors(row):
    node, raw = on_linux(declared(row["node"])), declared(row["image"])
    image = on_linux(raw)
    answers = {
        "only": only(node, image) is not None,
        "moby_config": config_match(node, image) is not None,
        "exact": exact(node, image) is not None,
        "crio": crio(node, raw) is not None,
    }
    assert answers == {column: row[column] for column in answers}


def first_choice(ranks: list[Rank | None], entries: list[Any]) -> int | None:
    """The best rank, the first of equals; else the first entry without a platform."""
    matching = [(rank, index) for index, rank in enumerate(ranks) if rank is not None]
    if matching:
        return min(matching)[1]
    return entries.index(None) if None in entries else None


@pytest.mark.parametrize("row", TABLE["selection"], ids=named)
@pytest.mark.parametrize(("column", "matcher"), [("only", only), ("exact", exact), ("crio", crio)])
def test_selection(row, column, matcher):
    node = declared(row["node"])
    ranks = [None if entry is None else matcher(node, declared(entry)) for entry in row["entries"]]
    assert first_choice(ranks, row["entries"]) == row[column]


def test_a_huge_variant_costs_nothing():
    node = Platform("linux", "amd64", "v999999999")
    assert only(node, Platform("linux", "amd64", "v2")) == (999999997, 0)
    assert only(node, Platform("linux", "386")) == (999999999, 0)
    assert only(Platform("linux", "arm", "v999999999"), Platform("linux", "arm", "v5")) == (999999994, 0)
    beyond_int64 = Platform("linux", "amd64", "v" + "9" * 5000)
    assert only(beyond_int64, beyond_int64) == (0, 0)
    assert only(beyond_int64, Platform("linux", "amd64")) is None
    assert only(beyond_int64, Platform("linux", "386")) == (1, 0)
    assert only(Platform("linux", "arm64", "v999999999"), Platform("linux", "arm64"), p.RC0) is None


def test_an_empty_os_of_an_image_is_the_nodes():
    for node in (Platform("linux", "amd64"), Platform("windows", "amd64")):
        assert only(node, Platform("", "amd64")) == (0, 0)
        assert exact(node, Platform("", "amd64")) == (0, 0)
        assert only_os(node, Platform("", "arm64")) is not None
        assert config_match(node, Platform("", "amd64")) == "fits"


def test_unknown_fits_no_node():
    for matcher in (only, exact, ordered, only_os, crio):
        assert matcher(Platform("linux", "amd64"), Platform("unknown", "unknown")) is None


def test_rank_follows_the_walk():
    node = Platform("linux", "arm64", "v9.1")
    walk = ["v9.1", "v9", "v8.6", "v8.5", "v8.1", "v8"]
    ranks = [only(node, Platform("linux", "arm64", variant)) for variant in walk]
    ranks += [only(node, Platform("linux", "arm", variant)) for variant in ("v8", "v7", "", "v6", "v5")]
    assert ranks == [(step, 0) for step in (0, 1, 2, 3, 7, 8, 9, 10, 10, 11, 12)]
    assert only(node, Platform("linux", "arm64", "v8.7")) is None


def test_more_features_come_first_once_they_count():
    node = Platform("linux", "amd64", os_features=("gpu", "sgx"))
    plain, both = Platform("linux", "amd64"), Platform("linux", "amd64", os_features=("sgx", "gpu"))
    assert only(node, plain) == (0, 0)
    assert only(node, both) == (0, -2)
    assert only(node, both, p.RC2) == (0, 0)


LINUX_GPU = Platform("linux", "amd64", os_features=("gpu",))
WIN32K = Platform("windows", "amd64", os_version="10.0.20348.1", os_features=("win32k",))
HOST_2022, HOST_26200 = (Platform("windows", "amd64", os_version=f"10.0.{build}") for build in (20348, 26200))
LTSC2022 = Platform("windows", "amd64", os_version="10.0.20348.1")


VERSIONS: dict[str, Library] = {
    "0.2": p.V0_2,
    "rc.0": p.RC0,
    "rc.1": p.RC1,
    "rc.2": p.RC2,
    "rc.3": p.RC3,
    "rc.4": p.RC4,
    "rc.5": p.RC5,
}


@pytest.mark.parametrize(
    ("node", "image", "taken_by"),
    [
        (Platform("linux", "amd64"), LINUX_GPU, "0.2 rc.0 rc.1 rc.2"),
        (HOST_2022, WIN32K, "0.2 rc.0 rc.1 rc.2 rc.4 rc.5"),
        (HOST_26200, LTSC2022, "0.2 rc.0 rc.1 rc.5"),
        (Platform("linux", "arm64", "v8.2"), Platform("linux", "arm64", "v8.1"), "rc.0 rc.1 rc.2 rc.3 rc.4 rc.5"),
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v8.0"), "rc.0 rc.1 rc.2 rc.3 rc.4 rc.5"),
        (Platform("linux", "arm64"), Platform("linux", "arm64", "8.0"), "rc.0"),
        (Platform("linux", "arm64", "v10"), Platform("linux", "arm64", "v10"), "0.2 rc.0"),
        (Platform("linux", "arm64", "v9"), Platform("linux", "arm", "v8"), "0.2 rc.0 rc.1 rc.2 rc.3 rc.4 rc.5"),
        (Platform("linux", "amd64"), Platform("linux", "386"), "0.2 rc.0 rc.1 rc.2 rc.3 rc.4 rc.5"),
    ],
)
def test_versions_of_the_library(node, image, taken_by):
    taken = [name for name, library in VERSIONS.items() if only(node, image, library) is not None]
    assert " ".join(taken) == taken_by


@pytest.mark.parametrize(
    ("node", "config", "match"),
    [
        ("linux/arm64", Platform("linux", "arm64"), "fits"),
        ("linux/arm64", Platform("linux", "arm64", "v8"), "fits"),
        ("linux/arm64", Platform("linux", "arm64", "8.0"), None),
        ("linux/arm/v6", Platform("linux", "arm"), "variant-not-given"),
        ("linux/arm/v6", Platform("linux", "armhf"), "variant-not-given"),
        ("linux/arm/v6", Platform("linux", "arm", "v7"), None),
        ("linux/arm64/v10", Platform("linux", "arm64"), "variant-not-given"),
        ("linux/arm64/v10", Platform("linux", "AArch64"), "variant-not-given"),
        ("linux/amd64", Platform("linux", "386"), "fits"),
        ("linux/amd64", Platform("linux", "amd64", "v3"), None),
        ("linux/amd64", Platform("windows", "amd64"), None),
        ("linux/386", Platform("linux", "amd64"), None),
        ("linux/amd64", Platform("linux", "amd64", os_features=("gpu",)), "fits"),
        ("windows/amd64:10.0.17763", Platform("windows", "amd64", os_version="10.0.20348.1"), "fits"),
    ],
)
def test_config_match(node, config, match):
    assert config_match(parse_platform(node), config) == match


def test_normalized_sorts_features_and_leaves_the_argument_alone():
    given = Platform("macOS", "X86_64", "V1", "11", ("b", "a", "b"))
    assert normalized(given) == Platform("darwin", "amd64", "", "11", ("a", "b"))
    assert given.os_features == ("b", "a", "b")


def test_only_ordered_looks_at_the_spelling_of_windows():
    node, other = Platform("Windows", "amd64", os_version="10.0.20348"), replace(LTSC2022, os_version="10.0.17763")
    assert ordered(node, other) == (0, 0)
    assert exact(node, other) is None


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/arm64", Platform("linux", "arm64")),
        ("linux/arm64/v8", Platform("linux", "arm64", "v8")),
        ("linux/arm64/v9.2", Platform("linux", "arm64", "v9.2")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("linux/arm", Platform("linux", "arm", "v7")),
        ("linux/arm/6", Platform("linux", "arm", "v6")),
        ("Linux/x86_64", Platform("linux", "amd64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/riscv64/rva22u64", Platform("linux", "riscv64", "rva22u64")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("windows/amd64:10.0.20348.1", Platform("windows", "amd64", "", "10.0.20348.1")),
    ],
)
def test_parse(text, platform):
    assert parse_platform(text) == platform


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linux",
        "arm64",
        "linux/",
        "/arm64",
        "linux//v8",
        "linux/arm64/",
        "linux/arm64/v8/x",
        " linux/arm64",
        "linux/arm64\n",
        "linux/*",
        "linux/arm64,runtime=docker://1",
        "linux/amd64:10.0.20348",
        "windows/amd64:",
        "windows/amd64:ltsc2022",
        "windows/amd64:10.0",
        "windows/amd64:10.0.20348.1.1",
        "windows(10.0.20348)/amd64",
        "l\u0131nux/arm64",
        "linux/arm64\u0660",
    ],
)
def test_parse_refuses(text):
    with pytest.raises(MalformedPlatform) as caught:
        parse_platform(text)
    assert isinstance(caught.value, MalformedInput)
    assert repr(text) in caught.value.problem


@pytest.mark.parametrize(
    ("platform", "text"),
    [
        (Platform("linux", "arm64", "v8"), "linux/arm64/v8"),
        (Platform("Linux", "ARM64"), "Linux/ARM64"),
        (Platform("windows", "amd64", "", "10.0.20348.1"), "windows/amd64:10.0.20348.1"),
        (Platform("linux", "amd64", "", "5.10"), "linux/amd64"),
        (Platform("unknown", "unknown"), "unknown/unknown"),
        (Platform("", "arm64"), "unknown/arm64"),
        (Platform(), "unknown/unknown"),
    ],
)
def test_format(platform, text):
    assert format_platform(platform) == text
