"""Pairs of node and image platform."""

from tests.oracles.inputs.common import maybe, mutated

VARIANTS = {
    "amd64": ["", "", "v1", "v2", "v3", "v4", "v5", "2", "1", "v0", "V2"],
    "arm64": [
        "",
        "",
        "v8",
        "v8.0",
        "v8.1",
        "v8.2",
        "v8.5",
        "v8.6",
        "v8.9",
        "v8.10",
        "v9",
        "v9.0",
        "v9.1",
        "v9.2",
        "v9.4",
        "v9.5",
        "v9.7",
        "v9.8",
        "8",
        "8.0",
        "9",
        "9.0",
        "9.1",
        "V8",
        "v7",
        "v10",
        "unknown",
    ],
    "arm": ["", "v7", "v6", "v5", "v8", "v4", "v9", "7", "6", "5", "8", "4", "V7", "v7l", "v10"],
    "386": ["", "", "v1", "softfloat"],
    "riscv64": ["", "rva20u64", "rva22u64", "rva23u64"],
    "ppc64le": ["", "power8", "power9"],
    "s390x": ["", "z13"],
    "loong64": [""],
    "mips64le": ["", "hardfloat"],
    "wasm": [""],
}
ALIASES = {
    "amd64": ["x86_64", "x86-64", "X86_64", "AMD64", "Amd64", "x64", "amd64p32"],
    "arm64": ["aarch64", "AARCH64", "ARM64", "arm64be", "arm64v8", "armv8"],
    "arm": ["armhf", "armel", "ARM", "ARMHF", "armv7l", "armbe", "arm32v7"],
    "386": ["i386", "I386", "i686", "x86"],
    "riscv64": ["riscv"],
    "ppc64le": ["ppc64", "ppc64el"],
    "s390x": ["s390"],
    "loong64": ["loongarch64"],
    "mips64le": ["mips64el"],
    "wasm": ["WASM"],
}
SYSTEMS = [
    "linux",
    "linux",
    "linux",
    "windows",
    "darwin",
    "macos",
    "Linux",
    "LINUX",
    "Windows",
    "macOS",
    "freebsd",
    "wasi",
    "wasip1",
    "android",
    "unknown",
    "",
]
REACHABLE = [
    ("arm64", "arm"),
    ("amd64", "386"),
    ("arm", "arm64"),
    ("386", "amd64"),
    ("amd64", "arm64"),
    ("arm64", "amd64"),
]
BUILDS = [
    "10.0.14393",
    "10.0.17763",
    "10.0.19042",
    "10.0.20347",
    "10.0.20348",
    "10.0.20349",
    "10.0.22621",
    "10.0.25398",
    "10.0.26099",
    "10.0.26100",
    "10.0.26200",
    "10.0.30000",
]
ODD_BUILDS = [
    "",
    "10.0",
    "10",
    "6.3.9600",
    "10.1.20348",
    "11.0.20348",
    "10.0.20348.x",
    "10.0.x",
    "0.0.0",
    "10.0.65536",
    "256.0.20348",
    "10.0.-1",
    "5.10",
    "6.1",
]
FEATURES = ["gpu", "sgx", "erofs", "win32k", "a", "b"]


def architecture(rng, name, alias=0.15):
    """An architecture with a variant that exists for it, sometimes under another spelling."""
    return {
        "architecture": rng.choice(ALIASES[name]) if rng.random() < alias else name,
        "variant": rng.choice(VARIANTS[name]),
    }


def platform(os, rest, **more):
    full = {"os": os, **rest, **more}
    return {key: value for key, value in full.items() if key in ("os", "architecture") or value}


def same_architecture(rng):
    name = rng.choice(["amd64", "amd64", "arm64", "arm64", "arm64", "arm", "arm", "386", *VARIANTS])
    node, image = architecture(rng, name, 0.08), architecture(rng, name)
    if rng.random() < 0.2:
        image["variant"] = node["variant"]
    return {"node": platform("linux", node), "image": platform("linux", image)}


def capable_node(rng):
    """A node of the highest known variants, so that the walk down decides."""
    node, variants = rng.choice(
        [("amd64", ["v3", "v4", "v9"]), ("arm64", ["v8.9", "v9", "v9.2", "v9.7", "v9.8"]), ("arm", ["v7", "v8", "v10"])]
    )
    image = rng.choice([node, node, node, {"amd64": "386", "arm64": "arm", "arm": "arm64"}[node]])
    return {
        "node": platform("linux", {"architecture": node, "variant": rng.choice(variants)}),
        "image": platform("linux", architecture(rng, image, 0.1)),
    }


def one_platform(rng):
    """Two spellings of what is likely the same platform."""
    spellings = rng.choice(
        [
            [("amd64", ""), ("amd64", "v1"), ("x86_64", ""), ("x86-64", "v1"), ("AMD64", "V1"), ("amd64", "1")],
            [("arm64", ""), ("arm64", "v8"), ("aarch64", "8"), ("arm64", "v8.0"), ("ARM64", "V8"), ("arm64", "8.0")],
            [("arm64", "v9"), ("arm64", "9"), ("aarch64", "v9.0"), ("arm64", "9.0"), ("Arm64", "V9.0")],
            [("arm", ""), ("arm", "v7"), ("arm", "7"), ("armhf", ""), ("armhf", "v6"), ("ARM", "V7")],
            [("arm", "v6"), ("arm", "6"), ("armel", ""), ("armel", "v7"), ("ArmEL", "x")],
            [("386", ""), ("i386", ""), ("i386", "v1"), ("I386", "x")],
            [(name, "") for name in ("riscv64", "RISCV64")],
            [(name, "") for name in ("s390x", "S390X")],
        ]
    )
    systems = rng.choice(
        [["linux", "Linux", "linux", ""], ["windows", "windows", "Windows"], ["darwin", "macos", "macOS"]]
    )
    return {
        side: platform(rng.choice(systems), dict(zip(("architecture", "variant"), rng.choice(spellings), strict=False)))
        for side in ("node", "image")
    }


def other_architecture(rng):
    node, image = rng.choice(REACHABLE[:2] + REACHABLE) if rng.random() < 0.8 else rng.sample(list(VARIANTS), 2)
    return {
        "node": platform("linux", architecture(rng, node, 0.05)),
        "image": platform("linux", architecture(rng, image)),
    }


def operating_system(rng):
    name = rng.choice(["amd64", "arm64"])
    node, image = rng.choice(SYSTEMS), rng.choice(SYSTEMS)
    if rng.random() < 0.4:
        image = node
    return {"node": platform(node, {"architecture": name}), "image": platform(image, architecture(rng, name))}


def windows(rng):
    def version(odd):
        if rng.random() < odd:
            return rng.choice(ODD_BUILDS)
        return rng.choice(BUILDS) + maybe(rng, 0.6, "." + str(rng.randrange(1, 9999)))

    system = maybe(rng, 0.95, "windows", "Windows")
    image = architecture(rng, rng.choice(["amd64"] * 8 + ["arm64", "386"]), 0.02)
    if rng.random() < 0.8:
        image["variant"] = ""
    features = [["win32k"], ["other"], ["win32k", "other"], ["win32k", "win32k"]][rng.randrange(4)]
    return {
        "node": platform(
            system, {"architecture": "amd64"}, os_version=version(0.12), os_features=maybe(rng, 0.1, ["win32k"], None)
        ),
        "image": platform("windows", image, os_version=version(0.2), os_features=maybe(rng, 0.2, features, None)),
    }


def features(rng):
    pool = FEATURES[: rng.randrange(1, len(FEATURES) + 1)]

    def some(most):
        return [rng.choice(pool) for _ in range(rng.randrange(most + 1))]

    system = rng.choice(["linux", "linux", "windows"])
    node = some(4)
    image = rng.sample(node, rng.randrange(len(node) + 1)) if rng.random() < 0.5 else some(3)
    return {
        "node": platform(system, {"architecture": "amd64"}, os_features=node),
        "image": platform(system, {"architecture": "amd64"}, os_features=image),
    }


def empty_or_unknown(rng):
    def one():
        return platform(
            rng.choice(["", "unknown", "linux", "windows"]),
            {
                "architecture": rng.choice(["", "unknown", "amd64", "arm", "arm64"]),
                "variant": rng.choice(["", "", "unknown", "v7", "v8"]),
            },
        )

    node = one()
    return {"node": node, "image": dict(node) if rng.random() < 0.3 else one()}


def damaged(rng):
    """A likely match in which one string of one side has been damaged."""
    name = rng.choice(["amd64", "arm64", "arm"])
    variant = rng.choice(
        {"amd64": ["", "v2", "v3"], "arm64": ["", "v8", "v8.2", "v9.1"], "arm": ["", "v7", "v6"]}[name]
    )
    pair = {side: platform("linux", {"architecture": name, "variant": variant}) for side in ("node", "image")}
    side = pair[rng.choice(["node", "image"])]
    key = rng.choice(list(side))
    if key == "variant" and rng.random() < 0.6:
        number = variant.lstrip("v")
        side[key] = (
            rng.choice(["v+", "v0", "vv", "v-", "v ", "+", "0", " v", "V", ""])
            + number
            + rng.choice(["", "", " ", ".0", "x"])
        )
    else:
        side[key] = mutated(rng, side[key])
    return pair


FAMILIES = [
    (7, same_architecture),
    (5, capable_node),
    (5, one_platform),
    (3, other_architecture),
    (2, operating_system),
    (5, windows),
    (3, features),
    (2, empty_or_unknown),
    (4, damaged),
]


def split(answer):
    for matcher in ("only", "exact", "crio", "only_os"):
        if answer[matcher]:
            yield f"{matcher}: true"
    if answer["exact"] != answer["ordered"]:
        yield "exact and ordered differ"
    if len({answer["only"], answer["exact"], answer["crio"]}) > 1:
        yield "matchers differ"
