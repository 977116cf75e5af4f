"""References: the cases of area reference, and what the golden lines do not say (hosts, targets, short names)."""

import pytest

from webhook.core.errors import InvalidReference
from webhook.core.reference import (
    CrioNames,
    Reference,
    is_short_name,
    parse_docker_ref,
    parse_image,
    parse_normalized,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4

# input, domain, repository, tag
READ = [
    # ref-localhost-without-port: localhost is a registry, but only before a slash
    ("localhost/team/app:1", "localhost", "team/app", "1"),
    ("localhost/app", "localhost", "app", "latest"),
    ("localhost", "docker.io", "library/localhost", "latest"),
    ("localhost:5000", "docker.io", "library/localhost", "5000"),
    ("localhost:5000/app", "localhost:5000", "app", "latest"),
    ("localhosts/app", "docker.io", "localhosts/app", "latest"),
    # ref-hub-spellings: two names of the Hub are folded, letter by letter
    ("nginx", "docker.io", "library/nginx", "latest"),
    ("docker.io/nginx", "docker.io", "library/nginx", "latest"),
    ("index.docker.io/nginx", "docker.io", "library/nginx", "latest"),
    ("index.docker.io/team/nginx:2", "docker.io", "team/nginx", "2"),
    ("registry-1.docker.io/nginx", "registry-1.docker.io", "nginx", "latest"),
    ("registry.hub.docker.com/nginx", "registry.hub.docker.com", "nginx", "latest"),
    ("docker.io:443/nginx", "docker.io:443", "nginx", "latest"),
    ("DOCKER.IO/nginx", "DOCKER.IO", "nginx", "latest"),
    # ref-uppercase-first-part: a capital makes the first part a registry
    ("MyReg/foo", "MyReg", "foo", "latest"),
    ("nginx:LATEST", "docker.io", "library/nginx", "LATEST"),
    # further forms
    ("[fd00::10]:5000/app:1", "[fd00::10]:5000", "app", "1"),
    ("quay.io/a/b/c/d:v1", "quay.io", "a/b/c/d", "v1"),
]


@pytest.mark.parametrize(("text", "domain", "path", "tag"), READ)
def test_registry_repository_and_tag(text, domain, path, tag):
    reference = Reference(domain, path, tag)
    assert parse_image(text) == reference
    assert parse_docker_ref(text) == reference
    assert parse_normalized(text).with_default_tag() == reference


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("MyReg/Foo", "uppercase"),
        ("Nginx", "uppercase"),
        ("ghcr.io/Owner/app", "uppercase"),
        ("reg.example/app\u212a", "uppercase"),  # the Kelvin sign is a capital k
        ("reg.example/app\u0130", "uppercase"),  # and U+0130 a capital i, one letter for one
        ("", "invalid_format"),
        ("docker.io/", "invalid_format"),
        ("nginx:", "invalid_format"),
        ("nginx\n", "invalid_format"),
        ("nginx:1\n", "invalid_format"),
        ("reg.example:x/app", "invalid_format"),
        ("https://reg.example/app", "invalid_format"),
        ("nginx:" + "a" * 129, "invalid_format"),
        ("nginx@sha256:" + "a" * 31, "invalid_format"),
        ("nginx@sha256:" + "a" * 32, "digest_length"),
        ("nginx@sha256:" + "A" * 64, "invalid_digest"),
        ("nginx:1@SHA256:" + "a" * 64, "invalid_digest"),
        ("nginx@SHA256:" + "a" * 64, "uppercase"),  # all before the first colon counts as the name here
        ("nginx@sha1:" + "a" * 40, "digest_algorithm"),
        ("a" * 64, "identifier"),
        ("quay.io/" + "a" * 256, "too_long"),
        ("a" * 248, "too_long"),  # library/ counts
        ("quay.io/" + "a" * 256 + "@sha1:" + "a" * 40, "too_long"),
        ("a_b.example/app", "empty_domain"),
        ("a_b.example/app:1@" + DIGEST, "empty_domain"),
    ],
)
def test_refused_with_the_kind_of_the_original(text, kind):
    with pytest.raises(InvalidReference) as refusal:
        parse_image(text)
    assert refusal.value.kind == kind


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nginx ", "there is white space in it"),
        ("reg.example/app:1\n", "there is white space in it"),
        ("reg.example/app\u200b:1", "it holds the character U+200B, which no reference has"),
        ("reg.example/my\u2013app", "it holds the character U+2013, which no reference has"),
        ("https://reg.example/app", "a reference does not begin with a scheme such as https://"),
        ("docker://nginx", "a reference does not begin with a scheme such as https://"),
        ("reg.example/app:{{ .Values.tag }}", "it holds a placeholder that nothing has filled in"),
        ("${IMAGE}", "it holds a placeholder that nothing has filled in"),
        ("reg.example/app:$(TAG)", "it holds a placeholder that nothing has filled in"),
        ("reg.example/app@sha256:abc", "what follows the @ is no digest"),
        ("reg.example/App", "the name of a repository must be in lower case"),
        ("nginx:", "not of the form name[:tag][@digest]"),
    ],
)
def test_the_usual_slips_are_told_by_name(text, problem):
    with pytest.raises(InvalidReference) as refusal:
        parse_image(text)
    assert refusal.value.problem == problem


@pytest.mark.parametrize("text", ["a" * 247, "quay.io/" + "a" * 255, "reg.example:5000/" + "a" * 255 + ":" + "b" * 128])
def test_the_longest_names_pass(text):
    assert parse_image(text).canonical.removesuffix(":latest").endswith(text)


def test_a_name_without_registry_passes_the_library_and_not_podgate():
    assert parse_normalized("a_b.example/app") == Reference("", "a_b.example/app")
    assert parse_normalized("a_b.example/app").canonical == "a_b.example/app"


def test_the_kubelet_keeps_tag_and_digest_and_containerd_drops_the_tag():
    text = f"quay.io/team/app:1.4@{DIGEST}"
    assert parse_image(text) == Reference("quay.io", "team/app", "1.4", DIGEST)
    assert parse_docker_ref(text) == Reference("quay.io", "team/app", "", DIGEST)


@pytest.mark.parametrize(
    ("text", "target"),
    [("nginx", "latest"), ("nginx:1", "1"), (f"nginx:1@{DIGEST}", DIGEST), (f"nginx@{DIGEST}", DIGEST)],
)
def test_the_registry_is_asked_for_the_digest_before_the_tag(text, target):
    assert parse_image(text).pull_target == target
    assert parse_normalized(text).pull_target == target


@pytest.mark.parametrize(
    ("text", "familiar", "canonical"),
    [
        ("docker.io/library/nginx:1", "nginx:1", "docker.io/library/nginx:1"),
        ("team/app", "team/app:latest", "docker.io/team/app:latest"),
        ("library/a/b", "library/a/b:latest", "docker.io/library/a/b:latest"),
        ("quay.io/library/nginx", "quay.io/library/nginx:latest", "quay.io/library/nginx:latest"),
        (f"nginx:1@{DIGEST}", f"nginx:1@{DIGEST}", f"docker.io/library/nginx:1@{DIGEST}"),
    ],
)
def test_the_written_forms(text, familiar, canonical):
    reference = parse_image(text)
    assert (reference.familiar, reference.canonical, str(reference)) == (familiar, canonical, canonical)


@pytest.mark.parametrize(
    ("text", "host"),
    [("nginx", "registry-1.docker.io"), ("docker.io:443/a", "docker.io:443"), ("localhost:5000/a", "localhost:5000")],
)
def test_the_host_that_serves_a_name(text, host):
    assert parse_image(text).registry_host == host


@pytest.mark.parametrize(
    ("text", "short"),
    [
        # ref-crio-short-name
        ("kicbase/echo-server:1.0", True),
        ("docker.io/kicbase/echo-server:1.0", False),
        ("nginx", True),
        (f"nginx@{DIGEST}", True),
        ("localhost/app", False),
        ("localhost", True),
        ("localhost:5000", True),  # a tag
        ("reg:5000/app", False),
        ("MyReg/app", True),  # no dot, no colon: unqualified for containers/image, a registry for everybody else
        ("a_b.example/app", True),
        ("not a reference", False),
    ],
)
def test_names_that_a_crio_node_looks_up_in_its_own_configuration(text, short):
    assert is_short_name(text) is short


@pytest.mark.parametrize(
    ("text", "registry", "full"),
    [
        ("nginx", "docker.io", "docker.io/library/nginx:latest"),
        ("nginx", "index.docker.io", "docker.io/library/nginx:latest"),
        ("nginx", "quay.io", "quay.io/nginx:latest"),
        ("library/nginx:1", "quay.io", "quay.io/library/nginx:1"),
        ("team/app:1", "docker.io", "docker.io/team/app:1"),
        (f"team/app:1@{DIGEST}", "localhost:5000", f"localhost:5000/team/app:1@{DIGEST}"),
        (f"app@{DIGEST}", "[fd00::1]:5000", f"[fd00::1]:5000/app@{DIGEST}"),
    ],
)
def test_what_a_short_name_stands_for(text: str, registry: str, full: str):
    assert is_short_name(text)
    assert str(CrioNames(registry).meant(text)) == full


def test_a_short_name_that_is_none_behind_a_registry():
    assert is_short_name("MyReg/app")
    assert CrioNames("quay.io").meant("MyReg/app") is None
    assert str(CrioNames(None, {"MyReg/app": "quay.io/app"}).meant("MyReg/app:1")) == "quay.io/app:1"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("fedora", "registry.fedoraproject.org/fedora:latest"),
        ("fedora:40", "registry.fedoraproject.org/fedora:40"),
        (f"fedora:40@{DIGEST}", f"registry.fedoraproject.org/fedora:40@{DIGEST}"),
        ("ubi9/ubi:9.4", "registry.access.redhat.com/ubi9/ubi:9.4"),
        ("app", "docker.io/library/app:latest"),
        ("library/fedora", "quay.io/library/fedora:latest"),  # aliases are for names as they are written
        ("ubi9", "quay.io/ubi9:latest"),
    ],
)
def test_an_alias_comes_before_the_registry_of_short_names(text: str, meant: str):
    aliases = {
        "fedora": "registry.fedoraproject.org/fedora",
        "ubi9/ubi": "registry.access.redhat.com/ubi9/ubi",
        "app": "docker.io/app",
    }
    assert str(CrioNames("quay.io", aliases).meant(text)) == meant
    assert (CrioNames(None, aliases).meant(text) is None) == meant.startswith("quay.io/")
