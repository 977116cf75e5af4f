"""WWW-Authenticate header lines, from well-behaved to hostile."""

from tests.oracles.inputs.common import maybe, mutated

REALMS = [
    "https://auth.example/token",
    "https://auth.docker.io/token",
    "https://reg.example/v2/token?service=x",
    "http://10.0.0.1/t",
    "/token",
    "auth.example",
    "",
    "Registry Realm",
    "https://auth.example/token?a=b&c=d",
    "://bad",
    "https://[::1",
    "https://auth.example/%zz",
    "HTTPS://AUTH.EXAMPLE/t",
    "//auth.example/t",
    "https://u:p@auth.example/t",
    "https://auth.example/a b",
    "https://auth.example/\u00e9",
    "file:///etc/passwd",
]
SERVICES = ["registry.docker.io", "reg.example", "reg,example", "a b", "", "a=b", 'a\\"b', "a;b"]
SCOPES = [
    "repository:team/app:pull",
    "repository:team/app:pull,push",
    "repository:a:pull repository:b:pull",
    "registry:catalog:*",
    "",
    " ",
    "a  b",
    "repository:x/y:pull ",
]
SCHEMES = [
    "Bearer",
    "Bearer",
    "Bearer",
    "bearer",
    "BEARER",
    "Basic",
    "basic",
    "Digest",
    "Negotiate",
    "NTLM",
    "Bearer:",
    "AWS4-HMAC-SHA256",
    "Bear er",
    "",
]


def quoted(rng, text):
    """A parameter value, mostly in quotes."""
    style = rng.random()
    if style < 0.8:
        return f'"{text}"'
    if style < 0.9:
        return text
    if style < 0.95:
        return '"' + "".join("\\" + c if rng.random() < 0.3 else c for c in text) + '"'
    return rng.choice([f"'{text}'", f'"{text}', f'{text}"', f'" {text} "', f'""{text}"'])


def parameters(rng, usual=True):
    chosen = [("realm", rng.choice(REALMS[:4] if usual else REALMS))] if rng.random() < 0.93 else []
    if rng.random() < 0.75:
        chosen.append(("service", rng.choice(SERVICES[:2] if usual else SERVICES)))
    if rng.random() < 0.6:
        chosen.append(("scope", rng.choice(SCOPES[:4] if usual else SCOPES)))
    if rng.random() < 0.2:
        chosen.append(("error", rng.choice(["invalid_token", "insufficient_scope"])))
    if rng.random() < 0.3:
        rng.shuffle(chosen)
    if chosen and rng.random() < (0.03 if usual else 0.2):
        chosen.append((chosen[0][0], "again"))
    return chosen


def line(rng, scheme, chosen, usual=True):
    equals = "=" if usual or rng.random() < 0.85 else rng.choice([" = ", "= ", " =", "==", ":"])
    separator = (
        rng.choice([",", ", ", ","])
        if usual or rng.random() < 0.8
        else rng.choice([" , ", ",,", ";", " ", ",\t", ", ,", "\t,"])
    )
    names = [
        name if usual or rng.random() < 0.85 else rng.choice([name.upper(), name.title(), name + "*", " " + name])
        for name, _ in chosen
    ]
    pairs = [
        name + equals + (f'"{value}"' if usual else quoted(rng, value))
        for name, (_, value) in zip(names, chosen, strict=False)
    ]
    return (scheme + " " + separator.join(pairs)).rstrip() if chosen else scheme


def usual(rng):
    return {"header": [line(rng, rng.choice(SCHEMES[:7]), parameters(rng))]}


def basic(rng):
    return {
        "header": [
            rng.choice(
                [
                    'Basic realm="Registry Realm"',
                    "Basic",
                    "basic realm=reg",
                    'Basic realm="r",charset="UTF-8"',
                    'BASIC REALM="R"',
                    'Basic realm=""',
                    "Basic realm",
                    'Basic  realm="two spaces"',
                    'Basic realm="a", error="x"',
                    "Basic realm=" + rng.choice(REALMS),
                    'Basic realm="' + rng.choice(REALMS) + '"',
                ]
            )
        ]
    }


def several_lines(rng):
    return {"header": [line(rng, rng.choice(SCHEMES), parameters(rng)) for _ in range(rng.choice([0, 2, 2, 3, 4]))]}


def folded(rng):
    """Several challenges in one line."""
    parts = [
        line(rng, rng.choice(SCHEMES[:10]), parameters(rng)[: rng.choice([0, 1, 2, 3])])
        for _ in range(rng.choice([2, 2, 3]))
    ]
    return {
        "header": [
            rng.choice([", ", ",", " , "]).join(parts),
            *maybe(rng, 0.2, [line(rng, "Bearer", parameters(rng))], []),
        ]
    }


def careless(rng):
    """Spacing, quoting and names that one parser takes and another does not."""
    return {"header": [line(rng, rng.choice(SCHEMES), parameters(rng, False), False)]}


def escapes(rng):
    body = "".join(
        rng.choice(["a", "b", "\\", "\\\\", '\\"', '"', ",", "=", " ", "\u00e9", "\\a", "\t", "", "%22"])
        for _ in range(rng.randrange(8))
    )
    return {
        "header": [
            f'Bearer realm="https://a.example/t",service="{body}"' + maybe(rng, 0.7, ',scope="repository:a:pull"')
        ]
    }


def damaged(rng):
    return {"header": [mutated(rng, line(rng, "Bearer", parameters(rng)), rng.choice([1, 1, 2, 3]))]}


def nonsense(rng):
    return {
        "header": [
            rng.choice(
                [
                    "",
                    " ",
                    ",",
                    "=",
                    '"',
                    "Bearer",
                    "Bearer ",
                    " Bearer realm=x",
                    "Bearer,",
                    "Bearer realm",
                    "Bearer realm=",
                    'Bearer realm="',
                    "Bearer =x",
                    "Bearer ,realm=x",
                    "\tBearer realm=x",
                    "Bearer\trealm=x",
                    "Bearer\nrealm=x",
                    "Bearerrealm=x",
                    "realm=x",
                    "Basic dXNlcjpw",
                    "Negotiate oRQwEqADCgEB",
                    "Bearer dG9rZW4=, realm=x",
                    'Bearer "realm"="x"',
                    "B\u00e9arer realm=x",
                    "Bearer r\u00e9alm=x",
                    "<html>",
                ]
            )
            for _ in range(rng.choice([1, 1, 2]))
        ]
    }


FAMILIES = [
    (5, usual),
    (2, basic),
    (4, several_lines),
    (4, folded),
    (5, careless),
    (3, escapes),
    (5, damaged),
    (1, nonsense),
]


def split(answer):
    kinds = sorted({challenge["scheme"] for challenge in answer["containerd"]})
    yield "containerd: " + ("+".join(kinds) or "none")
    if "token" in answer:
        yield "containerd token: " + (
            "error" if "error" in answer["token"] else "with scope" if "scopes" in answer["token"] else "without scope"
        )
    if len({str(sorted(c["parameters"].items())) for c in answer["containerd"][:1] + answer["distribution"][:1]}) > 1:
        yield "containerd and distribution differ on the first challenge"
    if answer["containerd"] and answer.get("ggcr", {}).get("scheme") != answer["containerd"][0]["scheme"]:
        yield "containerd and go-containerregistry go by different schemes"
