"""Pods with constraints, nodes with labels and taints."""

KEYS = {
    "kubernetes.io/arch": ["amd64", "arm64", "arm"],
    "kubernetes.io/os": ["linux", "windows"],
    "topology.kubernetes.io/zone": ["a", "b", ""],
    "pool": ["web", "gpu", "7"],
    "cores": ["4", "8", "16", "016", "-1", "4.0", "", "x", "9223372036854775808"],
    "node-role.kubernetes.io/control-plane": [""],
}
BAD_KEYS = ["", "a b", "-a", "kubernetes.io/", "a/b/c", "ü", "A" * 64, "x" * 63, "UPPER/x", "/x"]
BAD_VALUES = ["a b", "-a", "x" * 64, "a/b", "ü", "a_b.c-d", ","]
OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
BAD_OPERATORS = ["in", "Equals", "", "=", "Gte", "!"]
NAMES = ["n1", "n2", "node-a.example"]
EFFECTS = ["NoSchedule", "NoExecute", "PreferNoSchedule"]
TAINTS = {
    "kubernetes.io/arch": ["amd64", "arm64"],
    "nvidia.com/gpu": ["present", "", "true"],
    "dedicated": ["web", "8", "16"],
    "node.kubernetes.io/unschedulable": [""],
    "node.kubernetes.io/not-ready": [""],
    "level": ["1", "2", "007", "-5", "x", "9223372036854775808"],
}


def labels(rng):
    return {key: rng.choice(values) for key, values in KEYS.items() if rng.random() < 0.6}


def node(rng, taints=0):
    return {"name": rng.choice(NAMES), "labels": labels(rng), "taints": [taint(rng) for _ in range(taints)]}


def taint(rng):
    key = rng.choice(list(TAINTS))
    return {"key": key, "value": rng.choice(TAINTS[key]), "effect": rng.choice(EFFECTS[:2] * 3 + EFFECTS[2:])}


def requirement(rng, known, bad=0.0):
    """One matchExpression; known are the labels of the node, to hit them often."""
    key = rng.choice(list(known) or list(KEYS)) if rng.random() < 0.6 else rng.choice(list(KEYS))
    operator = rng.choice(OPERATORS)
    values = []
    if operator in ("In", "NotIn"):
        values = [rng.choice(KEYS[key]) for _ in range(rng.randrange(1, 3))]
        if key in known and rng.random() < 0.4:
            values.append(known[key])
    elif operator in ("Gt", "Lt"):
        key = rng.choice(["cores", "cores", "cores", key])
        values = [rng.choice(["0", "4", "8", "10", "-2", "+5", "007", "9223372036854775807"])]
    result = {"key": key, "operator": operator, "values": values}
    if rng.random() < bad:
        damage = rng.randrange(4)
        if damage == 0:
            result["operator"] = rng.choice(BAD_OPERATORS)
        elif damage == 1:
            result["values"] = rng.choice(
                [[], ["a", "b"], ["x"], ["1.5"], [" 4"], [""], ["9223372036854775808"], ["0x10"], ["1_000"]]
            )
        elif damage == 2:
            result["key"] = rng.choice(BAD_KEYS)
        else:
            result["values"] = [rng.choice(BAD_VALUES)]
    if not result["values"] and rng.random() < 0.5:
        del result["values"]
    return result


def field(rng, bad=0.15):
    result = {"key": "metadata.name", "operator": rng.choice(["In", "In", "NotIn"]), "values": [rng.choice(NAMES)]}
    if rng.random() < bad:
        result[rng.choice(["key", "operator"])] = rng.choice(
            ["metadata.uid", "spec.nodeName", "Exists", "Gt", "DoesNotExist", ""]
        )
    if rng.random() < bad:
        result["values"] = rng.choice([[], NAMES[:2], [""], ["n1,n2"], ["a=b"], ["N1"]])
    return result


def term(rng, known, bad=0.0, fields=0.2):
    result = {"matchExpressions": [requirement(rng, known, bad) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3]))]}
    if rng.random() < fields:
        result["matchFields"] = [field(rng) for _ in range(rng.choice([1, 1, 1, 2]))]
    if not result["matchExpressions"] and rng.random() < 0.5:
        del result["matchExpressions"]
    return result


def required(terms):
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def selector(rng):
    """nodeSelector alone: literal equality, nothing is validated."""
    there = node(rng)
    wanted = {}
    for _ in range(rng.randrange(3)):
        key = rng.choice(list(KEYS))
        wanted[key] = there["labels"].get(key, "") if rng.random() < 0.6 else rng.choice(KEYS[key])
    if rng.random() < 0.1:
        wanted[rng.choice(BAD_KEYS)] = rng.choice(BAD_VALUES)
    return {"pod": {"nodeSelector": wanted}, "node": there}


def affinity(rng):
    there = node(rng)
    return {
        "pod": {"affinity": required([term(rng, there["labels"]) for _ in range(rng.choice([1, 1, 2, 3]))])},
        "node": there,
    }


def bad_affinity(rng):
    there = node(rng)
    return {
        "pod": {
            "affinity": required(
                [term(rng, there["labels"], bad=0.5, fields=0.4) for _ in range(rng.choice([1, 1, 2, 3]))]
            )
        },
        "node": there,
    }


def single(rng):
    """One requirement, so that its own rule decides."""
    there = node(rng)
    return {
        "pod": {"affinity": required([{"matchExpressions": [requirement(rng, there["labels"], bad=0.1)]}])},
        "node": there,
    }


def by_name(rng):
    there = node(rng)
    pod = {
        "affinity": required(
            [
                {"matchFields": [field(rng, 0.25) for _ in range(rng.choice([1, 1, 2]))]}
                for _ in range(rng.choice([1, 1, 2]))
            ]
        )
    }
    if rng.random() < 0.4:
        pod["nodeName"] = rng.choice(NAMES)
    if rng.random() < 0.1:
        there["name"] = ""
    return {"pod": pod, "node": there}


def nothing(rng):
    """nil, empty and nearly empty affinities."""
    there = node(rng)
    pod = {
        "affinity": rng.choice(
            [
                None,
                {},
                {"nodeAffinity": None},
                {"nodeAffinity": {}},
                required([]),
                required([{}]),
                required(None),
                required([{}, {"matchExpressions": []}]),
                required([{"matchExpressions": [], "matchFields": []}, term(rng, there["labels"])]),
                {
                    "nodeAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 1, "preference": term(rng, there["labels"])}
                        ]
                    }
                },
                {"podAffinity": {}},
            ]
        )
    }
    if rng.random() < 0.5:
        pod["nodeSelector"] = rng.choice([None, {}, {"pool": "web"}])
    if rng.random() < 0.2:
        there["labels"] = rng.choice([None, {}])
    return {"pod": pod, "node": there}


def toleration(rng, against):
    copied = {"key": against["key"], "operator": "Equal", "value": against["value"], "effect": against["effect"]}
    for _ in range(rng.randrange(3)):
        name = rng.choice(["key", "operator", "operator", "value", "effect", "effect"])
        copied[name] = rng.choice(
            {
                "key": ["", *TAINTS],
                "operator": ["Exists", "", "Equal", "Exists", "Gt", "Lt", "exists", "In"],
                "value": ["", "web", "2", "1", "8"],
                "effect": ["", *EFFECTS],
            }[name]
        )
    if copied["operator"] == "Exists" and rng.random() < 0.8:
        del copied["value"]
    if rng.random() < 0.1:
        copied["tolerationSeconds"] = rng.choice([0, 300])
    return {key: value for key, value in copied.items() if value != "" or rng.random() < 0.3}


def taints(rng):
    there = node(rng, rng.choice([1, 1, 2, 3]))
    pod = {"tolerations": [toleration(rng, rng.choice(there["taints"])) for _ in range(rng.choice([0, 1, 1, 2, 3]))]}
    if len(there["taints"]) > 1 and rng.random() < 0.3:
        pod["tolerations"] = [toleration(rng, one) for one in there["taints"]]
    return {"pod": pod, "node": there}


def numeric_taints(rng):
    """The operators Gt and Lt of tolerations, honoured behind a feature gate."""
    numbers = [
        "0",
        "1",
        "2",
        "-5",
        "0",
        "3",
        "8",
        "-7",
        "10",
        "007",
        "+1",
        "1.0",
        "",
        "x",
        "9223372036854775807",
        "9223372036854775808",
        "-0",
        "1e3",
        " 1",
    ]
    there = node(rng)
    there["taints"] = [{"key": "level", "value": rng.choice(numbers), "effect": "NoSchedule"}]
    return {
        "pod": {"tolerations": [{"key": "level", "operator": rng.choice(["Gt", "Lt"]), "value": rng.choice(numbers)}]},
        "node": there,
    }


def everything(rng):
    there = node(rng, rng.choice([0, 1, 2]))
    pod = {
        "nodeSelector": selector(rng)["pod"]["nodeSelector"] if rng.random() < 0.5 else {},
        "affinity": required([term(rng, there["labels"], bad=0.1) for _ in range(rng.choice([1, 2, 3]))]),
        "tolerations": [toleration(rng, one) for one in there["taints"]],
    }
    if rng.random() < 0.3:
        pod["nodeName"] = rng.choice(NAMES)
    return {"pod": pod, "node": there}


FAMILIES = [
    (3, selector),
    (6, affinity),
    (4, bad_affinity),
    (5, single),
    (3, by_name),
    (2, nothing),
    (6, taints),
    (3, numeric_taints),
    (4, everything),
]


def split(answer):
    yield "affinity: " + ("error" if "affinity_error" in answer else str(answer["affinity"]).lower())
    yield "taints: " + ("untolerated" if answer["untolerated"] else "tolerated or none")
    if answer["untolerated"] != answer["untolerated_comparing"]:
        yield "comparison operators matter"
    if not answer["node_name"]:
        yield "another node named"
