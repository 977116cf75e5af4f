"""Pull secrets and the image they are looked up for."""

import base64
import json

from tests.oracles.inputs.common import mutated

JSON, CFG = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"
IMAGES = [
    "nginx",
    "nginx:1.25",
    "library/nginx",
    "team/app",
    "docker.io/team/app",
    "index.docker.io/team/app",
    "registry-1.docker.io/library/nginx",
    "quay.io/foo/app:1",
    "quay.io/foobar/app",
    "quay.io/foo",
    "ghcr.io/a/b/c@sha256:" + "a" * 64,
    "reg.example/app",
    "reg.example:5000/team/app",
    "reg.example:443/app",
    "localhost/app",
    "localhost:5000/app",
    "10.0.0.1:5000/app",
    "[::1]:5000/app",
    "x.azurecr.io/app",
    "123.dkr.ecr.us-east-1.amazonaws.com/app",
    "x.123.dkr.ecr.us-east-1.amazonaws.com/app",
    "gcr.io/p/app",
    "a.b.io/x",
    "MyReg/foo",
    "reg.example/v1/app",
    "reg.example/v2/team/app",
    "reg.example/v2/app",
]
HUB_KEYS = [
    "https://index.docker.io/v1/",
    "https://index.docker.io/v1",
    "https://index.docker.io/v2/",
    "index.docker.io",
    "docker.io",
    "https://docker.io",
    "index.docker.io/v1/",
    "registry-1.docker.io",
    "https://index.docker.io/v1/access-token",
    "docker.io/library",
    "docker.io/team",
    "index.docker.io/team",
    "http://index.docker.io/v1/",
    "*.docker.io",
    "hub.docker.com",
    "*.io",
    "docker.*",
    "index.docker.io/",
]
HOSTS = {
    "quay.io/": [
        "quay.io",
        "quay.io/foo",
        "quay.io/foobar",
        "quay.io/foo/",
        "quay.io/foo/app",
        "quay.io/foo/app:1",
        "https://quay.io/v2/foo",
        "*.io",
        "quay.*",
        "quay.io/f",
        "quay.io/*",
        "QUAY.io",
        "quay.io:443",
        "https://quay.io/v1/",
        "https://quay.io/v2",
        "*quay.io",
        "q*y.io",
        "[pq]uay.io",
        "quay.[a-z]o",
        "?uay.io",
        "quay.io//foo",
        "quay.io/foo?x=1",
        "quay.io/foo#x",
        "user@quay.io",
        "docker://quay.io",
    ],
    "reg.example": [
        "reg.example",
        "reg.example:5000",
        "reg.example:443",
        "*.example",
        "*.example:5000",
        "reg*.example:5000",
        "https://reg.example:5000/v2/",
        "reg.example:5000/team",
        "http://reg.example:5000",
        "reg.example:*",
        "reg.example/v2/",
        "reg.example/v2/team",
        "reg.example/v1/app",
        "https://reg.example/v1/v2/",
        "reg.example./",
        "re\\g.example",
        "[reg.example",
        "reg.example:x",
        "reg.example/%74eam",
        "reg.example/v2",
    ],
    "amazonaws.com": [
        "123.dkr.ecr.us-east-1.amazonaws.com",
        "*.dkr.ecr.us-east-1.amazonaws.com",
        "*.dkr.ecr.*.amazonaws.com",
        "*.*.*.*.*.*",
        "*",
        "*.amazonaws.com",
        "https://*.dkr.ecr.us-east-1.amazonaws.com",
        "*.dkr.ecr.us-east-1.amazonaws.com/app",
    ],
    "localhost": ["localhost", "localhost:5000", "local*", "*", "*:5000", "http://localhost:5000/v2/"],
    "[::1]": ["[::1]:5000", "[::1]", "*:5000", "::1", "[*]:5000"],
    "gcr.io": [
        "gcr.io",
        "https://gcr.io",
        "https://gcr.io/v1",
        "gcr.io/p",
        "gcr.io/p/",
        "*.gcr.io",
        "eu.gcr.io",
        "g*.io",
        "*.io",
    ],
}
USERS = ["u", "user", "_json_key", "AWS", "00000", "", "u:v", "ü", "<token>"]
PASSWORDS = ["p", "p:q", "", "s3cr3t", "ß", "a" * 40, "p\n", '{"a":1}']


def encoded(rng, text, damage=0.15):
    """base64 of user:password, mostly the padded standard form."""
    auth = base64.b64encode(text.encode()).decode()
    if rng.random() < damage:
        auth = rng.choice(
            [
                auth.rstrip("="),
                base64.urlsafe_b64encode(text.encode()).decode(),
                auth + "=",
                auth + "\n",
                " " + auth,
                auth + " ",
                auth[:2] + "\n" + auth[2:],
                auth[:2] + " " + auth[2:],
                auth[:-1],
                mutated(rng, auth),
                "!!",
                "====",
                auth.rstrip("=") + "\n",
                base64.b64encode(text.encode() + b"\xff\xfe").decode(),
                base64.b64encode(b"nocolon").decode(),
            ]
        )
    return auth


def entry(rng, damage=0.03):
    user, password = rng.choice(USERS), rng.choice(PASSWORDS)
    form = rng.randrange(10)
    if form < 5:
        result = {"auth": encoded(rng, f"{user}:{password}", damage)}
    elif form < 7:
        result = {"username": user, "password": password}
    elif form < 8:
        result = {"username": "other", "password": "other", "auth": encoded(rng, f"{user}:{password}", damage)}
    elif form < 9:
        result = {"auth": encoded(rng, f"{user}:", damage), "identitytoken": "T"}
    else:
        result = rng.choice(
            [
                {},
                {"email": "a@b"},
                {"registrytoken": "R"},
                {"username": user},
                {"password": password},
                {"auth": ""},
                {"identitytoken": "T"},
            ]
        )
    if rng.random() < 0.1:
        result["email"] = "a@b.example"
    return result


def keys(rng, image, number):
    """Keys that have something to do with the image, some that have not."""
    near = next((keys for part, keys in HOSTS.items() if part in image), HUB_KEYS)
    chosen = [
        rng.choice(near) if rng.random() < 0.8 else rng.choice(rng.choice([HUB_KEYS, *HOSTS.values()]))
        for _ in range(number)
    ]
    return list(dict.fromkeys(chosen))


def secret(entries, cfg=False, **more):
    return {"type": CFG if cfg else JSON, "data": json.dumps(entries if cfg else {"auths": entries, **more})}


def realistic(rng):
    image = rng.choice(IMAGES)
    return {
        "secrets": [
            secret({key: entry(rng) for key in keys(rng, image, rng.choice([1, 1, 2, 3]))}, rng.random() < 0.25)
        ],
        "image": image,
    }


def several(rng):
    """Several secrets, keys in common."""
    image = rng.choice(IMAGES)
    pool = keys(rng, image, 3)
    return {
        "secrets": [
            secret(
                {key: entry(rng, 0) for key in rng.sample(pool, rng.randrange(1, len(pool) + 1))}, rng.random() < 0.3
            )
            for _ in range(rng.choice([2, 2, 3]))
        ],
        "image": image,
    }


def hub(rng):
    image = rng.choice([*IMAGES[:7], "docker.io/nginx", "localhost", "nginx@sha256:" + "b" * 64])
    return {
        "secrets": [
            secret({key: entry(rng, 0) for key in rng.sample(HUB_KEYS, rng.choice([1, 1, 2, 3]))}, rng.random() < 0.2)
        ],
        "image": image,
    }


def matching(rng):
    """Each key alone against an image of its own host."""
    part = rng.choice(list(HOSTS))
    image = rng.choice([image for image in IMAGES if part in image])
    return {"secrets": [secret({rng.choice(HOSTS[part]): {"auth": "dTpw"}})], "image": image}


def same_key(rng):
    """Two entries of one secret that fall on one key: the kubelet's order is undefined."""
    host = rng.choice(["quay.io", "reg.example", "index.docker.io"])
    spellings = [host, f"https://{host}", f"http://{host}", f"https://{host}/v1/", f"{host}/v2/", f"{host}/"]
    return {
        "secrets": [secret({key: entry(rng, 0) for key in rng.sample(spellings, 2)})],
        "image": {"index.docker.io": "nginx"}.get(host, host + "/app"),
    }


def credentials(rng):
    """Entry forms and damaged base64 under a key that matches."""
    entries = {"quay.io": entry(rng, 0.6)}
    if rng.random() < 0.3:
        entries["other.example"] = entry(rng, 0.6)
    return {"secrets": [secret(entries, rng.random() < 0.2)], "image": "quay.io/a/b"}


def documents(rng):
    """What the JSON around the entries may look like."""
    good = {"quay.io": {"auth": "dTpw"}}
    text = json.dumps({"auths": good})
    data = rng.choice(
        [
            "",
            "{}",
            "null",
            "[]",
            '"x"',
            '{"auths":null}',
            '{"auths":{}}',
            '{"auths":[]}',
            '{"auths":{"quay.io":null}}',
            '{"auths":{"quay.io":"x"}}',
            '{"auths":{"quay.io":{"auth":5}}}',
            '{"auths":{"quay.io":{"auth":null}}}',
            '{"Auths":{"quay.io":{"AUTH":"dTpw"}}}',
            '{"AUTHS":{"quay.io":{"Username":"u","passWord":"p"}}}',
            '{"auths":{"quay.io":{"auth":"dTpw"},"quay.io":{"auth":"eDp5"}}}',
            '{"auths":{"quay.io":{"auth":"dTpw","auth":"eDp5"}}}',
            '{"auths":{"a":{}},"auths":{"quay.io":{"auth":"dTpw"}}}',
            '{"auths":{"quay.io":{"username":"u","password":7}}}',
            "\ufeff" + text,
            text + "x",
            text + " \n",
            text[:-1],
            "{'auths':{}}",
            json.dumps(good),
            json.dumps({"auths": good, "credsStore": "desktop", "credHelpers": {"quay.io": "x"}}),
            json.dumps({"auths": good, "HttpHeaders": {"a": "b"}}),
            json.dumps({"auths": good, "HttpHeaders": 1}),
            json.dumps({"quay.io": {"auth": "dTpw"}, "auths": good}),
            mutated(rng, text),
            '{"auths":{"quay.io":{"auth":"dTpw","email":null,"x":[1]}}}',
            '{"auths":{"":{"auth":"dTpw"}}}',
        ]
    )
    secrets = [{"type": rng.choice([JSON, JSON, JSON, CFG, "Opaque", ""]), "data": data}]
    if rng.random() < 0.3:
        secrets.insert(rng.randrange(2), secret(good))
    return {"secrets": secrets, "image": "quay.io/a/b"}


def none(rng):
    return {
        "secrets": rng.choice([[], [{"type": JSON, "data": ""}], [{"type": "Opaque", "data": "{}"}], [secret({})]]),
        "image": rng.choice([*IMAGES, "", "UPPER/Case/X", "a b", ":", "a" * 64]),
    }


def damaged(rng):
    question = rng.choice([realistic, hub, several])(rng)
    if rng.random() < 0.5:
        return {**question, "image": mutated(rng, question["image"])}
    victim = rng.choice(question["secrets"])
    document = json.loads(victim["data"])
    entries = document if victim["type"] == CFG else document["auths"]
    key = rng.choice(list(entries))
    entries[mutated(rng, key)] = entries.pop(key)
    victim["data"] = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    return question


FAMILIES = [
    (6, realistic),
    (4, several),
    (4, hub),
    (6, matching),
    (1, same_key),
    (4, credentials),
    (2, documents),
    (1, none),
    (4, damaged),
]


def split(answer):
    if "error" in answer:
        yield "error: " + answer["error"]
    else:
        number = len(answer["candidates"])
        yield "candidates: " + ("none" if number == 0 else "one" if number == 1 else "several")
    if answer.get("order_undefined"):
        yield "order undefined"
