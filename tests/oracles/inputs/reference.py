"""Image references as pods write them, and worse."""

from tests.oracles.inputs.common import maybe, mutated

DOMAINS = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "registry.k8s.io",
    "mcr.microsoft.com",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "reg.example:5000",
    "localhost",
    "localhost:5000",
    "127.0.0.1:5000",
    "[::1]:5000",
    "[fd00::10]",
    "[::1]",
    "10.0.0.1",
    "myreg",
    "MyReg",
    "my-reg.local",
    "DOCKER.IO",
    "docker.io:443",
    "xn--bcher-kva.example",
    "a_b.example",
    "-reg.example",
    "reg-.example",
    "reg..example",
    "reg.example.",
    ".example",
    "reg:port",
    "reg.example:",
    "reg.example:5000:5000",
    "reg.example:99999999",
    "library",
    "Localhost",
    "LOCALHOST:5000",
]
PATHS = [
    "nginx",
    "library/nginx",
    "team/app",
    "org/team/app",
    "a/b/c/d/e",
    "app_x",
    "app__x",
    "app.x",
    "app-x",
    "app---x",
    "app___x",
    "app..x",
    "app_.x",
    "app-_x",
    "_app",
    "app_",
    "-app",
    "app-",
    ".app",
    "app.",
    "a//b",
    "/a",
    "a/",
    "",
    "Team/app",
    "team/App",
    "1",
    "0/0",
    "a/_/b",
    "nginx/nginx",
    "localhost",
    "docker.io",
    "library",
    "library/a/b",
]
TAGS = [
    "latest",
    "1",
    "1.25.3",
    "v1",
    "LATEST",
    "1.0-alpine_x",
    "_",
    "_x",
    "-x",
    ".x",
    "x.",
    "a" * 128,
    "a" * 129,
    "",
    "1+2",
    "sha256",
    "sha-abcdef0",
    "1/2",
    "é",
    "1 ",
    "2024.01.01",
    "x:y",
]
ALGORITHMS = {
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "md5": 32,
    "sha1": 40,
    "blake3": 64,
    "sha256+b64": 64,
    "sha256.x": 64,
    "SHA256": 64,
    "sha_256": 64,
    "sha256-": 64,
    "256sha": 64,
    "multihash+base58": 46,
}
HEX = "0123456789abcdef"


def digest(rng, valid=0.6):
    algorithm, length = ("sha256", 64) if rng.random() < valid else rng.choice(list(ALGORITHMS.items()))
    if rng.random() > valid:
        length = max(0, length + rng.choice([0, 0, 0, 0, -1, 1, -33, -32, 2]))
    text = "".join(rng.choice(HEX) for _ in range(length))
    return algorithm + ":" + (text.upper() if rng.random() > 0.5 + valid / 2 else text)


def well_formed(rng):
    domain = maybe(rng, 0.7, rng.choice(DOMAINS[:17]) + "/")
    return {
        "s": domain
        + rng.choice(PATHS[:10])
        + maybe(rng, 0.6, ":" + rng.choice(TAGS[:7]))
        + maybe(rng, 0.3, "@" + digest(rng, 1))
    }


def hub(rng):
    """Spellings of Docker Hub images."""
    domain = rng.choice(
        [
            "",
            "docker.io/",
            "index.docker.io/",
            "registry-1.docker.io/",
            "docker.io:443/",
            "DOCKER.IO/",
            "hub.docker.com/",
        ]
    )
    return {
        "s": domain
        + rng.choice(
            ["nginx", "library/nginx", "library/a/b", "team/app", "library/library/x", "", "library/", "library"]
        )
        + rng.choice(["", ":1", ":latest", "@" + digest(rng, 1)])
    }


def first_part(rng):
    """What the first path part is taken for: a domain, or a part of a Hub name."""
    return {
        "s": rng.choice(DOMAINS)
        + rng.choice(["/", "/", "/", ""])
        + rng.choice(PATHS)
        + maybe(rng, 0.3, ":" + rng.choice(TAGS[:6]))
    }


def separators(rng):
    part = "".join(
        rng.choice(["a", "b", "0", "9", ".", "_", "__", "-", "--", "___", "._"]) for _ in range(rng.randrange(1, 6))
    )
    return {
        "s": maybe(rng, 0.5, rng.choice(["quay.io/", "team/", "localhost/"]))
        + part
        + maybe(rng, 0.3, "/" + rng.choice(PATHS))
    }


def tag(rng):
    return {
        "s": rng.choice(["nginx", "quay.io/team/app", "reg.example:5000/app"])
        + ":"
        + rng.choice(TAGS)
        + maybe(rng, 0.3, "@" + digest(rng))
    }


def digested(rng):
    name = rng.choice(["nginx", "nginx:1", "quay.io/team/app:1.2", "localhost:5000/a", "team/app"])
    return {"s": name + "@" + digest(rng, 0.3) + maybe(rng, 0.1, rng.choice(["@", ":1", "@" + digest(rng, 1), " "]))}


def identifier(rng):
    text = "".join(rng.choice(HEX) for _ in range(rng.choice([63, 64, 64, 64, 65, 12])))
    return {
        "s": rng.choice(["", "", "", "sha256:", "team/", "docker.io/"])
        + (text if rng.random() < 0.8 else text.upper())
        + rng.choice(["", "", "", ":1", "/x"])
    }


def length(rng):
    """Repository names around the limit of 255 (the domain does not count)."""
    size = 255 + rng.randrange(-3, 4)
    domain = rng.choice(["quay.io/", "", "docker.io/", "localhost:5000/"])
    path = "a" * size if rng.random() < 0.5 else ("a" * (size - 4)) + "/b/c"
    if rng.random() < 0.3:
        path = path[8:]
    return {"s": domain + path + rng.choice(["", ":1", "@" + digest(rng, 1)])}


def foreign(rng):
    """Forms from other tools: schemes, queries, plain nonsense."""
    return {
        "s": rng.choice(
            [
                "docker://",
                "https://",
                "http://",
                "oci:",
                "oci-archive:",
                "containers-storage:",
                "dir:/tmp/",
                "//",
                "/",
                " ",
                "@",
                ":",
                "~/",
                "./",
            ]
        )
        + well_formed(rng)["s"]
        + rng.choice(["", "", "?x=y", "#x", "%20", "/"])
    }


def damaged(rng):
    return {"s": mutated(rng, well_formed(rng)["s"], rng.choice([1, 1, 1, 2, 3]))}


FAMILIES = [
    (6, well_formed),
    (3, hub),
    (5, first_part),
    (3, separators),
    (3, tag),
    (4, digested),
    (1, identifier),
    (1, length),
    (2, foreign),
    (6, damaged),
]


def split(answer):
    reading = answer["docker_ref"]
    yield "error: " + reading["error"] if "error" in reading else "valid"
    if reading != answer["normalized"]:
        yield "docker_ref and normalized differ"
