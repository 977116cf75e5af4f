"""The platforms that a pod without any candidate demands, which stand in for nodes."""

from typing import Any

import pytest

from tests.support.scheduling import (
    ARM64,
    NAMED,
    affinity,
    expression,
    expressions,
    fields,
    names,
    pod,
)
from webhook.core.candidates import candidates, demanded_platforms
from webhook.core.platform import Platform
from webhook.core.workload import PodConstraints


def platforms(constraints: PodConstraints) -> list[str]:
    found = demanded_platforms(constraints)
    assert all(one.name is None and one.runtime.text == "" and one.platform is not None for one in found)
    return [f"{one.platform.os}/{one.platform.architecture}" for one in found if one.platform]


def arch(operator: str, *values: str) -> dict[str, Any]:
    return expression("kubernetes.io/arch", operator, *values)


def system(operator: str, *values: str) -> dict[str, Any]:
    return expression("kubernetes.io/os", operator, *values)


@pytest.mark.parametrize(
    ("spec", "demanded"),
    [
        ({}, []),
        ({"nodeSelector": {"pool": "not-there-yet"}}, []),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "arm64"}}, ["linux/arm64"]),
        ({"nodeSelector": {"kubernetes.io/arch": "arm64", "kubernetes.io/os": "windows"}}, ["windows/arm64"]),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}, "os": {"name": "windows"}}, ["windows/amd64"]),
        ({"nodeSelector": {"kubernetes.io/arch": ""}}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "x86_64"}}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "AMD64"}}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "Linux"}}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "arm"}}, ["linux/arm"]),
        ({"affinity": affinity(expressions(arch("In", "aarch64", "arm64")))}, ["linux/arm64"]),
        ({"affinity": affinity(expressions(arch("In", "arm64"), system("In", "linux")))}, ["linux/arm64"]),
        ({"affinity": affinity(expressions(arch("In", "arm64", "amd64")))}, ["linux/arm64", "linux/amd64"]),
        (
            {"affinity": affinity(expressions(arch("In", "arm64"), system("In", "linux", "windows")))},
            ["linux/arm64", "windows/arm64"],
        ),
        ({"affinity": affinity(expressions(arch("NotIn", "arm64")))}, []),
        ({"affinity": affinity(expressions(arch("Exists")))}, []),
        ({"affinity": affinity(expressions(arch("In", "arm64", "amd64"), arch("NotIn", "arm64")))}, ["linux/amd64"]),
        (
            {"affinity": affinity(expressions(arch("In", "arm64")), expressions(arch("In", "amd64", "arm64")))},
            ["linux/arm64", "linux/amd64"],
        ),
        ({"affinity": affinity(expressions(arch("In", "arm64")), expressions(expression("zone", "Exists")))}, []),
        ({"affinity": affinity(expressions(arch("In", "arm64")), fields(NAMED))}, []),
        # A term that cannot match, or contradicts itself or the selector, opens no architecture.
        ({"affinity": affinity(expressions(arch("In", "arm64")), {}, expressions(arch("Is", "x")))}, ["linux/arm64"]),
        (
            {"affinity": affinity(expressions(arch("In", "a"), arch("DoesNotExist")), expressions(ARM64))},
            ["linux/arm64"],
        ),
        (
            {
                "nodeSelector": {"kubernetes.io/arch": "arm64"},
                "affinity": affinity(expressions(arch("In", "amd64")), expressions(expression("zone", "Exists"))),
            },
            ["linux/arm64"],
        ),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}, "affinity": affinity(expressions(ARM64))}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}, "affinity": affinity()}, []),
        # The default os is a guess that must not contradict what the pod says.
        (
            {
                "nodeSelector": {"kubernetes.io/arch": "amd64"},
                "affinity": affinity(expressions(system("NotIn", "linux"))),
            },
            [],
        ),
        (
            {"nodeSelector": {"kubernetes.io/arch": "amd64"}, "affinity": affinity(expressions(system("NotIn", "a")))},
            ["linux/amd64"],
        ),
    ],
)
def test_demanded_platforms(spec, demanded):
    assert platforms(pod(**spec)) == demanded


def test_a_pod_that_names_more_platforms_than_there_are_demands_none():
    many = [f"a{number}" for number in range(50_000)]
    assert len(platforms(pod(affinity=affinity(expressions(arch("In", *many[:64])))))) == 64
    assert platforms(pod(affinity=affinity(expressions(arch("In", *many), system("In", *many))))) == []
    assert platforms(pod(affinity=affinity(*(expressions(arch("In", one)) for one in many[:65])))) == []
    assert len(platforms(pod(affinity=affinity(*[expressions(arch("In", *many[:40]))] * 3)))) == 40


def test_a_stand_in_has_the_labels_that_are_asked_of_it():
    selector = {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "windows", "pool": "win"}
    (one,) = demanded_platforms(pod(nodeSelector={**selector, "node.kubernetes.io/windows-build": "10.0.20348"}))
    assert one.platform == Platform("windows", "amd64", "", "10.0.20348")
    assert one.labels["pool"] == "win"
    assert names(candidates(pod(nodeSelector=selector), [one])) == [None]
