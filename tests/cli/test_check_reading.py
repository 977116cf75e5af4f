"""What `podgate check` makes of the files that people have: charts, kustomizations, pipes, links, other encodings."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from tests.support.command import Podgate
from tests.support.manifests import pod, write
from webhook.core.place import Place, Span
from webhook.reading import read_manifests

TARGET = ("--target", "linux/amd64", "--ignore", "*")
"""No registry is asked."""


def test_a_folder_may_hold_other_files(podgate: Podgate, tmp_path: Path):
    """Values, a package.json, a compose file are no Kubernetes objects, and nobody has named them."""
    write(tmp_path / "app.yaml", pod())
    for name, text in (
        ("values.yaml", "image: {tag: 1}"),
        ("compose.yaml", "services: {}"),
        ("package.json", '{"name": "x"}'),
    ):
        (tmp_path / name).write_text(text)
    ran = podgate.json("-f", tmp_path, *TARGET)
    assert (ran.code, list(ran.objects)) == (0, ["web"])
    named = ", ".join(str(tmp_path / name) for name in ("compose.yaml", "package.json", "values.yaml"))
    assert ran.err == f"podgate: 3 files that hold no Kubernetes object passed over: {named}\n"


@pytest.mark.parametrize("text", ["kind: Deployment", "apiVersion: v1", "- a", "words", "a: ["])
def test_a_folder_may_not_hold_broken_manifests(podgate: Podgate, tmp_path: Path, text: str):
    """What has half of what makes an object is a slip, not another file."""
    write(tmp_path / "app.yaml", pod())
    (tmp_path / "slip.yaml").write_text(text)
    ran = podgate.json("-f", tmp_path, *TARGET)
    assert (ran.code, list(ran.objects), len(ran.err.splitlines())) == (2, ["web"], 1)
    assert ran.err.startswith(f"podgate: {tmp_path}/slip.yaml#1: ")


def test_who_names_a_file_means_it(podgate: Podgate, tmp_path: Path):
    values = tmp_path / "values.yaml"
    values.write_text("image: {tag: 1}")
    ran = podgate.json("-f", values, *TARGET)
    assert (ran.code, ran.err) == (2, f"podgate: {values}#1: apiVersion: is missing\n")


def test_a_folder_with_nothing_to_check(podgate: Podgate, tmp_path: Path):
    (tmp_path / "values.yaml").write_text("a: 1")
    ran = podgate.json("-f", tmp_path, *TARGET)
    assert ran.code == 2
    assert ran.err.endswith("podgate: no objects to check\n")


def test_a_chart_is_to_be_rendered_first(podgate: Podgate, tmp_path: Path):
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("tag: 1\n")
    template = chart / "templates" / "pod.yaml"
    template.write_text("apiVersion: v1\n{{- if .Values.on }}\nkind: Pod\n{{- end }}\n")
    ran = podgate.json("-R", "-f", chart, *TARGET)
    notes, problems = ran.err.splitlines()[:-1], ran.err.splitlines()[-1]
    assert ran.code == 2
    assert notes[0] == (
        f"podgate: a Helm chart in {chart}: its files are judged as they stand; "
        f"helm template {chart} | podgate check judges the result"
    )
    assert notes[1].startswith("podgate: 2 files that hold no Kubernetes object passed over: ")
    assert problems.startswith(f"podgate: {template}#1: not YAML: line ")
    assert problems.endswith(
        "it looks like a template, which is judged once rendered: helm template CHART | podgate check"
    )


def test_a_kustomization_is_said(podgate: Podgate, tmp_path: Path):
    """Its patches are objects without images; what they make is known to kustomize alone."""
    (tmp_path / "kustomization.yaml").write_text("resources: [app.yaml]\npatches: [{path: patch.yaml}]\n")
    write(tmp_path / "app.yaml", pod())
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "patch"}}
    patch["spec"] = {"template": {"spec": {"containers": [{"name": "app", "resources": {}}]}}}
    write(tmp_path / "patch.yaml", patch)
    ran = podgate.json("-f", tmp_path, *TARGET)
    assert (ran.code, ran.objects["patch"]["images"]) == (0, [])
    assert f"kustomize build {tmp_path} | podgate check judges the result\n" in ran.err


RENDERED = b"""\
---
# Source: web/templates/serviceaccount.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
---
# Source: web/templates/empty.yaml
---
# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          image: "reg.example/team/app:1.4"
---
# Source: web/templates/tests/test.yaml
apiVersion: v1
kind: Pod
metadata:
  name: "web-test"
  annotations:
    "helm.sh/hook": test
spec:
  containers:
    - name: wget
      image: busybox
"""


@pytest.mark.parametrize("breaks", [b"\n", b"\r\n"])
def test_what_helm_template_prints(podgate: Podgate, breaks: bytes):
    """Comments, empty documents, and hooks, which are pods as well."""
    ran = podgate.json(*TARGET, stdin=RENDERED.replace(b"\n", breaks))
    assert (ran.code, ran.err) == (0, "")
    assert [one["source"] for one in ran.document["objects"]] == ["stdin#3", "stdin#4"]


def test_folders_that_lead_in_circles(podgate: Podgate, tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    write(tmp_path / "a" / "app.yaml", pod())
    (tmp_path / "linked.yaml").symlink_to(tmp_path / "a" / "app.yaml")
    ran = podgate.json("-R", "-f", tmp_path, *TARGET)
    assert (ran.code, ran.err) == (0, "")
    assert [Path(one["source"]).name for one in ran.document["objects"]] == ["app.yaml#1", "linked.yaml#1"]


def test_what_is_no_file_in_a_folder(podgate: Podgate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nobody waits for a pipe that nobody writes to; a link that leads nowhere, or to itself, hides no manifest."""
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    os.mkfifo("pipe.yaml")
    Path("gone.yaml").symlink_to("nowhere")
    Path("self.yaml").symlink_to("self.yaml")
    write(tmp_path / "good.yaml", pod())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.yaml")
        ran = podgate.json("-f", ".", *TARGET)
    assert (ran.code, list(ran.objects)) == (2, ["web"])
    assert ran.err.splitlines() == [
        "podgate: pipe.yaml: cannot be read: it is no file",
        "podgate: socket.yaml: cannot be read: it is no file",
        "podgate: gone.yaml: cannot be read: No such file or directory",
        "podgate: self.yaml: cannot be read: Too many levels of symbolic links",
    ]


def test_a_pipe_that_is_named(podgate: Podgate, tmp_path: Path):
    """As the shell makes one of <(helm template ...)."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(RENDERED,))
    writer.start()
    ran = podgate.json("-f", pipe, *TARGET)
    writer.join(10)
    assert (ran.code, list(ran.objects)) == (0, ["web", "web-test"])


def test_each_file_is_judged_whatever_the_others_are(podgate: Podgate, tmp_path: Path):
    for name, content in (
        ("a.yaml", b"kind: Pod # \x93quoted\x94"),
        ("b.yaml", json.dumps(pod()).encode("utf-16")),
        ("c.yaml", bytes(range(256))),
        ("d.yaml", b"kind: \x00"),
        ("e.yaml", b"a: &a [*a]"),
    ):
        (tmp_path / name).write_bytes(content)
    for name in ("0", "bb", "z"):
        write(tmp_path / f"{name}.yaml", pod(name=name))
    ran = podgate.json("-f", tmp_path, *TARGET)
    assert (ran.code, list(ran.objects)) == (2, ["0", "bb", "z"])
    assert [line.split(":")[1].rpartition("/")[2][:6] for line in ran.err.splitlines()] == [
        "a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml",
    ]  # fmt: skip


def test_places_and_lines_of_what_was_read(tmp_path: Path):
    path = tmp_path / "app.yaml"
    path.write_bytes(RENDERED + b"---\napiVersion: v1\nkind: Pod\n---\n\nb: [\n")
    reading = read_manifests([str(path)], recursive=False, places=True)
    web, test = reading.found
    assert web.place == Place(str(path), Span(11, 1, 11, 11), (Span(20, 19, 20, 43),))
    assert test.place == Place(str(path), Span(23, 1, 23, 11), (Span(32, 14, 32, 21),))
    assert [(problem.file, problem.line) for problem in reading.problems] == [(str(path), 34), (str(path), 39)]
    without = read_manifests([str(path)], recursive=False)
    assert {found.place for found in without.found} == {Place(str(path))}
