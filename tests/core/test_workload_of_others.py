"""What other controllers fill into templates, and templates of which others make the pods."""

from typing import Any

import pytest

from tests.support.manifests import pod
from webhook.core.workload import Workload, image_fields, parse_workload


def parsed(obj: dict[str, Any]) -> Workload:
    workload = parse_workload(obj)
    assert workload is not None
    return workload


def test_what_istio_fills_in_is_passed_over_in_templates_only():
    containers = [{"name": name, "image": "auto"} for name in ("istio-proxy", "app")]
    template = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    assert [image.container for image in parsed(template).images] == ["app"]
    assert [image.container for image in parsed(pod(containers=containers)).images] == ["istio-proxy", "app"]


def job(kind: str, **spec: Any) -> dict[str, Any]:
    made = {**spec, "template": {"spec": pod()["spec"]}}
    wrapped = made if kind == "Job" else {"schedule": "@daily", "jobTemplate": {"spec": made}}
    return {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": "j"}, "spec": wrapped}


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
@pytest.mark.parametrize(
    ("managed_by", "judged"),
    [(None, True), ("", True), ("kubernetes.io/job-controller", True), ("kueue.x-k8s.io/multikueue", False)],
)
def test_a_job_that_another_controller_makes_pods_of_says_nothing_of_nodes_here(kind, managed_by, judged):
    obj = job(kind, managedBy=managed_by, suspend=True)
    workload = parsed(obj)
    assert (workload.has_template, bool(workload.images), bool(image_fields(obj))) == (judged, judged, judged)
    assert workload.suspended
