"""A survey from judgements: which cell says what, and what is summed up under what."""

from collections.abc import Sequence

from tests.support.fleet import named, template
from webhook.core.decision import ImageFinding, Judgement, NodeFinding, reason_for
from webhook.core.fleet import Owner
from webhook.core.grouping import NodeGroup
from webhook.core.outcome import Outcome, fails, runs, uncertain
from webhook.core.platform import parse_platform
from webhook.core.scheduling import Node
from webhook.core.workload import parse_workload
from webhook.report.survey import Cell, Column, Survey
from webhook.report.surveying import Surveyed, survey_of

AMD, ARM = (Node(name, parse_platform(platform)) for name, platform in (("a", "linux/amd64"), ("b", "linux/arm64")))
TARGET = Node("linux/arm64,label=zone=a", parse_platform("linux/arm64"))
STAND_IN = Node(None, parse_platform("linux/s390x"))
FITS, NOT = runs("fits"), fails("no-matching-entry")


def judged(outcomes: Sequence[tuple[Node, Outcome]], image: str = "reg.example/app:1", **found: str) -> Judgement:
    """A pod of one image with these outcomes on these nodes."""
    workload = parse_workload({**named("v1", "Pod", "web"), "spec": template(image)["spec"]})
    assert workload is not None
    findings = tuple(NodeFinding(NodeGroup.of((node,)), (outcome,)) for node, outcome in outcomes)
    reason = reason_for([one.verdict for one in findings])
    images = (ImageFinding("app", image, resolved=found.get("resolved", "reg.example/app@sha256:1")),)
    return Judgement(workload, "allow", reason, "deny", images=images, findings=findings)


def entry(name: str, replicas: int, judgement: Judgement, elsewhere: Judgement | None = None) -> Surveyed:
    return Surveyed(Owner("Deployment", "shop", name), replicas, judgement, elsewhere)


def cells(survey: Survey) -> list[tuple[Cell | None, ...]]:
    return [image.cells for image in survey.images]


def test_a_cell_is_the_worst_with_the_replicas_it_is_about():
    one = entry("one", 5, judged([(AMD, FITS), (ARM, FITS)]))
    other = entry("other", 2, judged([(AMD, FITS), (ARM, uncertain("matchers-disagree"))]))
    survey = survey_of([one, other], [AMD, ARM])
    assert survey.columns == (Column("linux/amd64", "linux/amd64", 1), Column("linux/arm64", "linux/arm64", 1))
    unsure = Cell("uncertain", "matchers-disagree", 2, ("runs",))
    assert cells(survey) == [(Cell("runs", "fits", 7), unsure)]
    assert (survey.replicas.ready, survey.workload_count.ready) == (7, 2)


def test_where_a_workload_cannot_land_what_its_image_would_do_there():
    """What a kubelet refuses for the pod's os says nothing of the image."""
    landing = judged([(AMD, FITS), (ARM, fails("refused-by-kubelet"))])
    free = judged([(AMD, uncertain("image-unresolved")), (ARM, NOT)])
    survey = survey_of([entry("web", 3, landing, free)], [AMD, ARM])
    assert cells(survey) == [(Cell("runs", "fits", 3), Cell("fails", "no-matching-entry", 3))]
    (image,) = survey.images
    assert (image.state, image.replicas_blocked, survey.workloads[0].state) == ("ready", 0, "partial")
    assert [(one.owner.name, one.refused) for one in survey.adrift] == [("web", True)]
    assert survey_of([entry("web", 3, landing)], [AMD, ARM]).images[0].cells[1] is None


def test_targets_and_nodes_side_by_side():
    survey = survey_of([entry("web", 1, judged([(AMD, FITS), (TARGET, NOT)]))], [AMD], targets=[TARGET])
    assert [(column.name, column.kind) for column in survey.columns] == [
        ("linux/arm64,label=zone=a", "target"),
        ("linux/amd64", "nodes"),
    ]
    assert [cell and cell.verdict for cell in survey.images[0].cells] == ["fails", "runs"]


def test_an_image_is_one_however_it_is_spelled_unless_other_things_were_found():
    same = [
        entry("one", 1, judged([(AMD, FITS)], "nginx")),
        entry("two", 1, judged([(AMD, FITS)], "docker.io/library/nginx:latest")),
        entry("three", 1, judged([(AMD, uncertain("image-unresolved"))], "nginx", resolved="")),
    ]
    survey = survey_of(same, [AMD])
    assert [(len(image.uses), image.replicas, image.state) for image in survey.images] == [
        (1, 1, "unknown"),
        (2, 2, "ready"),
    ]


def test_the_worst_of_an_owners_pods_counts_for_all_of_them():
    old, new = judged([(ARM, FITS)]), judged([(ARM, NOT)], "reg.example/app:2")
    survey = survey_of([entry("web", 4, old), entry("web", 1, new)], [ARM])
    (workload,) = survey.workloads
    assert (workload.state, workload.replicas, workload.missing) == ("blocked", 5, ("linux/arm64",))
    assert [(image.image, image.state, image.replicas_blocked) for image in survey.images] == [
        ("reg.example/app:2", "blocked", 1),
        ("reg.example/app:1", "ready", 0),
    ]
    (namespace,) = survey.namespaces
    assert (namespace.replicas.blocked, namespace.workloads.blocked) == (5, 1)


def test_a_platform_that_only_workloads_ask_for():
    survey = survey_of([entry("big", 2, judged([(STAND_IN, FITS)]), judged([(AMD, NOT)]))], [AMD])
    assert survey.columns[-1] == Column("linux/s390x", "linux/s390x", 0, "demanded")
    (workload,) = survey.workloads
    assert (workload.state, workload.demands) == ("unknown", ("linux/s390x",))
    bad = survey_of([entry("big", 2, judged([(STAND_IN, NOT)]))], [AMD])
    assert bad.workloads[0].state == "blocked"  # it would fail there, too
