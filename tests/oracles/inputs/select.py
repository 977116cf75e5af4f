"""Indexes, manifests and configs, and the node that looks into them."""

import json

from tests.oracles.inputs.documents import LIST, OCI, OCI_INDEX, ODD_TYPES, SCHEMA2, Registry, a_node, a_platform

BUILDS = ["10.0.17763.5820", "10.0.20348.2340", "10.0.25398.709", "10.0.26100.1742", "10.0.26200.1"]
EMPTY_CONFIG = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def kind(rng):
    """Document types of one flavour: index, manifest."""
    return rng.choice([(OCI_INDEX, OCI), (OCI_INDEX, OCI), (LIST, SCHEMA2), (OCI_INDEX, SCHEMA2), (LIST, OCI)])


def attestation(registry):
    return registry.entry(
        {"os": "unknown", "architecture": "unknown"},
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": f"sha256:{1:064x}",
        },
    )


def plain(rng):
    """An index as builders make it, with or without attestations."""
    registry, node, (index_type, manifest_type) = Registry(rng), a_node(rng), kind(rng)
    entries = [
        registry.entry(a_platform(rng, node), media_type=manifest_type) for _ in range(rng.choice([1, 2, 3, 4, 6]))
    ]
    if rng.random() < 0.3:
        entries += [attestation(registry) for _ in entries]
    if rng.random() < 0.3:
        rng.shuffle(entries)
    return registry.question(node, registry.index(entries, index_type), index_type)


def duplicates(rng):
    """Several entries for one platform, spelled differently or equally; zstd variants."""
    registry, node = Registry(rng), a_node(rng)
    spellings = {
        "arm64": [("arm64", ""), ("arm64", "v8"), ("aarch64", ""), ("arm", "v7"), ("arm", "")],
        "amd64": [("amd64", ""), ("x86_64", ""), ("amd64", "v1"), ("386", "")],
        "arm": [("arm", "v7"), ("arm", ""), ("armhf", ""), ("arm", "v6"), ("armel", ""), ("arm", "v5")],
    }
    chosen = spellings.get(node["architecture"], [(node["architecture"], "")])
    entries = []
    for _ in range(rng.choice([2, 3, 4])):
        name, variant = rng.choice(chosen)
        annotations = (
            {"annotations": {"io.github.containers.compression.zstd": rng.choice(["true", "true", "false"])}}
            if rng.random() < 0.3
            else {}
        )
        entries.append(
            registry.entry(
                {"os": "linux", "architecture": name, **({"variant": variant} if variant else {})}, **annotations
            )
        )
    index_type = rng.choice([OCI_INDEX, OCI_INDEX, LIST])
    return registry.question(node, registry.index(entries, index_type), index_type)


def no_platform(rng):
    """Entries without a platform, whose config is asked (or not)."""
    registry, node, (index_type, manifest_type) = Registry(rng), a_node(rng), kind(rng)
    entries = []
    for _ in range(rng.choice([1, 2, 2, 3])):
        if rng.random() < 0.65:
            entries.append(
                registry.entry(
                    dict(node) if rng.random() < 0.5 else a_platform(rng), declared=False, media_type=manifest_type
                )
            )
        else:
            entries.append(registry.entry(a_platform(rng, node), media_type=manifest_type))
    if rng.random() < 0.2:
        rng.choice(entries)["platform"] = rng.choice(
            [None, {}, {"os": "linux"}, {"architecture": node["architecture"]}, {"os": "", "architecture": ""}]
        )
    return registry.question(node, registry.index(entries, index_type), index_type)


def attestations(rng):
    """Attestations and artifacts in all their disguises."""
    registry, node = Registry(rng), a_node(rng)
    entries = [registry.entry(a_platform(rng, node)) for _ in range(rng.randrange(3))]
    disguises = [
        lambda: attestation(registry),
        lambda: registry.entry({"os": "unknown", "architecture": "unknown"}),
        lambda: registry.entry(dict(node), annotations={"vnd.docker.reference.type": "attestation-manifest"}),
        lambda: registry.entry(
            dict(node), declared=False, annotations={"vnd.docker.reference.type": "attestation-manifest"}
        ),
        lambda: registry.entry({"os": "linux", "architecture": "unknown"}),
        lambda: registry.entry({"os": "unknown", "architecture": node["architecture"]}),
        lambda: {
            "mediaType": OCI,
            "artifactType": "application/spdx+json",
            "size": 2,
            "digest": registry.put(
                {
                    "schemaVersion": 2,
                    "mediaType": OCI,
                    "artifactType": "application/spdx+json",
                    "layers": [],
                    "config": {
                        "mediaType": "application/vnd.oci.empty.v1+json",
                        "digest": registry.put("{}"),
                        "size": 2,
                    },
                }
            ),
        },
        lambda: registry.entry(dict(node), artifactType="application/vnd.example"),
    ]
    for _ in range(rng.choice([1, 1, 2, 3])):
        entries.insert(rng.randrange(len(entries) + 1), rng.choice(disguises)())
    return registry.question(node, registry.index(entries))


def nested(rng):
    """Indexes inside indexes, with and without a platform on the inner one."""
    registry, node = Registry(rng), a_node(rng)

    def inner(depth):
        entries = [registry.entry(a_platform(rng, node), declared=rng.random() < 0.85) for _ in range(rng.randrange(3))]
        if depth and rng.random() < 0.5:
            entries.insert(rng.randrange(len(entries) + 1), inner(depth - 1))
        result = {"mediaType": rng.choice([OCI_INDEX, OCI_INDEX, LIST]), "digest": registry.index(entries), "size": 2}
        if rng.random() < 0.4:
            result["platform"] = dict(node) if rng.random() < 0.6 else a_platform(rng)
        return result

    entries = [inner(2)] + [registry.entry(a_platform(rng, node)) for _ in range(rng.randrange(3))]
    rng.shuffle(entries)
    return registry.question(node, registry.index(entries))


def windows(rng):
    registry = Registry(rng)
    node = {
        "os": "windows",
        "architecture": "amd64",
        **({"os_version": rng.choice(BUILDS)} if rng.random() < 0.9 else {}),
    }
    entries = []
    for _ in range(rng.choice([1, 2, 3, 4])):
        platform = {
            "os": "windows",
            "architecture": "amd64",
            **({"os_version": rng.choice(BUILDS)} if rng.random() < 0.85 else {}),
        }
        if rng.random() < 0.15:
            platform["os_features"] = rng.choice([["win32k"], ["other"]])
        entries.append(registry.entry(platform if rng.random() < 0.8 else {"os": "linux", "architecture": "amd64"}))
    return registry.question(node, registry.index(entries))


def features(rng):
    registry, pool = Registry(rng), ["gpu", "sgx", "erofs"]
    node = {"os": "linux", "architecture": "amd64", "os_features": rng.sample(pool, rng.randrange(3))}
    entries = [
        registry.entry(
            {
                "os": "linux",
                "architecture": rng.choice(["amd64", "amd64", "386"]),
                "os_features": rng.sample(pool, rng.randrange(3)),
            }
        )
        for _ in range(rng.choice([1, 2, 3, 4]))
    ]
    return registry.question(node, registry.index(entries))


def single(rng):
    """The root is one manifest: no runtime compares its platform."""
    registry, node, media_type = Registry(rng), a_node(rng), rng.choice([OCI, SCHEMA2])
    config = rng.choice([None, None, None, "{}", "", "[]"])
    return registry.question(node, registry.manifest(a_platform(rng, node), media_type, config), media_type)


def wrong_types(rng):
    """Media types that are missing, odd, or contradict the document."""
    registry, node = Registry(rng), a_node(rng)
    entries = [
        registry.entry(dict(node) if rng.random() < 0.6 else a_platform(rng, node), declared=rng.random() < 0.85)
        for _ in range(rng.choice([1, 2, 3]))
    ]
    header, body = OCI_INDEX, OCI_INDEX
    damage = rng.randrange(6)
    if damage == 0:
        header = rng.choice([*ODD_TYPES, OCI, SCHEMA2, LIST])
    elif damage == 1:
        body = rng.choice([*ODD_TYPES, OCI, SCHEMA2, LIST])
    elif damage == 2:
        rng.choice(entries)["mediaType"] = rng.choice([*ODD_TYPES, OCI_INDEX, LIST])
    elif damage == 3:
        del rng.choice(entries)["mediaType"]
    elif damage == 4:
        digest = registry.put(
            {
                "schemaVersion": 2,
                "manifests": entries,
                **rng.choice(
                    [
                        {},
                        {"config": {}},
                        {"layers": []},
                        {"config": None},
                        {"fsLayers": []},
                        {"mediaType": OCI},
                        {"mediaType": None},
                        {"layers": None},
                    ]
                ),
            }
        )
        return registry.question(node, digest, rng.choice([OCI_INDEX, LIST]))
    else:
        digest = rng.choice(entries)["digest"]
        registry.blobs[digest] = json.dumps(
            {"schemaVersion": 2, "mediaType": rng.choice([OCI_INDEX, OCI, ""]), "manifests": []}
        )
    digest = registry.index(entries, body)
    if rng.random() < 0.15:
        document = json.loads(registry.blobs[digest])
        del document["mediaType"]
        registry.blobs[digest] = json.dumps(document)
    return registry.question(node, digest, header)


def broken(rng):
    """Blobs that are missing or no JSON, empty and null lists, wrong shapes."""
    registry, node = Registry(rng), a_node(rng)
    entries = [
        registry.entry(dict(node) if rng.random() < 0.6 else a_platform(rng, node), declared=rng.random() < 0.6)
        for _ in range(rng.choice([1, 2, 3]))
    ]
    digest = registry.index(entries)
    damage = rng.randrange(5)
    if damage == 0:
        del registry.blobs[rng.choice(list(registry.blobs))]
    elif damage == 1:
        registry.blobs[rng.choice(list(registry.blobs))] = rng.choice(
            ["", "x", "[]", "null", "{}", "{", '"x"', "{}{}", "\ufeff{}", "1"]
        )
    elif damage == 2:
        registry.blobs[digest] = rng.choice(
            [
                '{"manifests":[]}',
                '{"manifests":null}',
                "{}",
                '{"schemaVersion":2}',
                '{"manifests":{}}',
                '{"manifests":[null]}',
                '{"manifests":[{}]}',
                '{"schemaVersion":"2","manifests":[]}',
                '{"manifests":[1]}',
            ]
        )
    elif damage == 3:
        victim = rng.choice(entries)
        key, value = rng.choice(
            [
                ("platform", "linux/amd64"),
                ("platform", []),
                ("size", "2"),
                ("size", -1),
                ("digest", ""),
                ("digest", "x"),
                ("digest", 1),
                ("annotations", []),
                ("platform", {"os": 1}),
                ("platform", {"os": "linux", "architecture": "amd64", "os.features": "x"}),
                ("annotations", {"a": 1}),
                ("urls", "x"),
            ]
        )
        victim[key] = value
        registry.blobs[digest] = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    else:
        config = rng.choice(
            ["{}", '{"os":1}', "[]", "null", "", '{"OS":"linux","Architecture":"amd64"}', '{"os":"linux"}']
        )
        entries.insert(0, {"mediaType": OCI, "digest": registry.manifest({}, OCI, config), "size": 2})
        digest = registry.index(entries)
    return registry.question(node, digest)


FAMILIES = [
    (6, plain),
    (4, duplicates),
    (5, no_platform),
    (3, attestations),
    (4, nested),
    (3, windows),
    (2, features),
    (2, single),
    (3, wrong_types),
    (4, broken),
]


def split(answer):
    for path, choice in answer.items():
        yield f"{path}: {choice.get('error', 'selected')}"
    if len({choice.get("digest") for choice in answer.values()}) > 1:
        yield "runtimes differ"
