"""Where a registry is asked: hosts directory, mirrors, TLS, redirects."""

from pathlib import Path

import pytest

from tests.registry.conftest import Setting, access, reference, server_tls
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
ANYBODY = access()


async def failure(images: RegistryImages) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, ANYBODY)
    return caught.value


@pytest.mark.parametrize("fault", [Fault(status=404), Fault(status=401), Fault(status=500), Fault(close=True)])
async def test_the_next_endpoint_is_asked_after_any_failure(setting: Setting, fault: Fault):
    with Registry() as mirror, Registry() as upstream:
        mirror.faults = [fault]
        upstream.push("team/app", build.single("linux/amd64"), "1")
        setting.serve("reg.example", mirror, upstream)
        assert (await setting.images().resolve(TAGGED, ANYBODY)).root.body
        assert mirror.log[0].query == {"ns": ["reg.example"]}
        assert len(upstream.log) == 1


async def test_a_mirror_that_has_it_is_enough(setting: Setting):
    with Registry() as mirror, Registry() as upstream:
        mirror.push("team/app", build.single("linux/amd64"), "1")
        setting.serve("reg.example", mirror, upstream)
        await setting.images().resolve(TAGGED, ANYBODY)
        assert upstream.log == []


async def test_the_failure_that_got_furthest_is_told_and_the_others_in_its_detail(setting: Setting):
    with Registry() as first, Registry() as second, Registry() as third:
        first.faults = [Fault(close=True)]
        second.faults = [Fault(status=403)]
        setting.serve("reg.example", first, second, third)
        error = await failure(setting.images())
        assert error.code == "denied"
        told = error.detail.split("; ")
        assert [one.split(": ")[:2] for one in told] == [
            [first.address, "unavailable"],
            [second.address, "denied"],
            [third.address, "not-found"],
        ]


async def test_capabilities_path_and_header(setting: Setting):
    with Registry() as mirror, Registry() as upstream:
        image = upstream.push("team/app", build.single("linux/amd64"), "1")
        config = image.root.json["config"]["digest"]
        setting.serve(
            "reg.example",
            text=f'server = "{upstream.url}/some/path"\n[host."{mirror.url}"]\ncapabilities = ["pull"]\n'
            f'[host."{mirror.url}".header]\nx-mirror = ["one", "two"]\nauthorization = "Custom MARKED"\n',
        )
        upstream.hold("team/app", "manifests", "1", image.root)
        images = setting.images()
        assert (await failure(images)).code == "not-found"
        with pytest.raises(RegistryError):
            await images.fetch(TAGGED, config, "config", ANYBODY)
        assert [asked.path for asked in upstream.log] == [
            "/some/path/v2/team/app/manifests/1",
            f"/some/path/v2/team/app/blobs/{config}",
        ]
        (asked,) = mirror.log
        assert asked.path == f"/v2/team/app/blobs/{config}"
        assert asked.headers["x-mirror"] == "two"  # the server keeps the last of two lines
        assert asked.authorization == "Custom MARKED"


async def test_no_endpoint_for_tags(setting: Setting, registry: Registry):
    setting.serve("reg.example", text=f'server = "{registry.url}"\ncapabilities = ["pull"]\n')
    assert (await failure(setting.images())).code == "not-found"
    assert registry.log == []


async def test_docker_hub_has_a_host_of_its_own(setting: Setting, registry: Registry):
    registry.push("library/nginx", build.single("linux/amd64"), "latest")
    setting.serve("docker.io", registry)
    assert (await setting.images().resolve(reference("nginx"), ANYBODY)).root.body


async def test_a_changed_file_counts_after_a_while(setting: Setting, registry: Registry):
    images = setting.images(negative_ttl=0.0)
    assert (await failure(images)).code == "not-found"
    with Registry() as another:
        another.push("team/app", build.single("linux/amd64"), "1")
        setting.serve("reg.example", another)
        assert (await failure(images)).code == "not-found"
        setting.clock.now += 10
        assert (await images.resolve(TAGGED, ANYBODY)).root.body


@pytest.mark.parametrize("text", ['server = "{url}"\nca = "absent.crt"\n', 'server = "{url}"\nclient = "absent"\n'])
async def test_a_certificate_that_is_not_there_stops_the_pull(setting: Setting, registry: Registry, text: str):
    setting.serve("reg.example", text=text.replace("{url}", registry.url))
    assert (await failure(setting.images())).code == "unavailable"
    assert registry.log == []


async def test_a_certificate_that_is_none(setting: Setting, registry: Registry):
    setting.serve("reg.example", text=f'server = "{registry.url}"\nca = "junk.crt"\n')
    (setting.folder / "reg.example" / "junk.crt").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    assert (await failure(setting.images())).code == "tls"


async def test_a_hosts_directory_that_is_not_there(setting: Setting):
    assert (await failure(setting.images(hosts_dir=setting.folder / "absent"))).code == "unavailable"


# TLS


async def test_an_unknown_authority_is_a_tls_fault(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates)) as served:
        setting.serve("reg.example", served)
        error = await failure(setting.images())
        assert error.code == "tls"
        assert served.log == []


async def test_the_authority_of_the_hosts_directory_is_trusted(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates)) as served:
        served.push("team/app", build.single("linux/amd64"), "1")
        setting.serve("reg.example", text=f'server = "{served.url}"\nca = "{certificates / "ca.pem"}"\n')
        assert (await setting.images().resolve(TAGGED, ANYBODY)).root.body


async def test_skip_verify(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates)) as served:
        served.push("team/app", build.single("linux/amd64"), "1")
        setting.serve("reg.example", text=f'server = "{served.url}"\nskip_verify = true\n')
        assert (await setting.images().resolve(TAGGED, ANYBODY)).root.body


async def test_a_certificate_for_another_name_is_a_tls_fault(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates), host="127.0.0.2") as served:
        setting.serve("reg.example", text=f'server = "{served.url}"\nca = "{certificates / "ca.pem"}"\n')
        assert (await failure(setting.images())).code == "tls"


async def test_a_client_certificate(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates, client_certificate=True)) as served:
        served.push("team/app", build.single("linux/amd64"), "1")
        text = f'server = "{served.url}"\nca = "{certificates / "ca.pem"}"\n'
        setting.serve("reg.example", text=text)
        assert (await failure(setting.images())).code in {"tls", "unavailable"}
        setting.serve(
            "reg.example", text=f'{text}client = [["{certificates / "cert.pem"}", "{certificates / "key.pem"}"]]\n'
        )
        assert (await setting.images().resolve(TAGGED, ANYBODY)).root.body


async def test_a_server_without_tls_where_tls_was_expected(setting: Setting, registry: Registry):
    setting.serve("reg.example", text=f'server = "https://{registry.address}"\n')
    assert (await failure(setting.images())).code in {"tls", "unavailable"}


async def test_a_registry_on_this_machine_is_asked_in_the_clear(setting: Setting, registry: Registry):
    """containerd's rule for localhost: port 443 means TLS, others plain HTTP."""
    registry.push("team/app", build.single("linux/amd64"), "1")
    found = await setting.images().resolve(reference(f"{registry.address}/team/app:1"), ANYBODY)
    assert found.root.body


async def test_https_first_and_http_where_that_is_not_spoken(setting: Setting, certificates: Path):
    """docker.NewHTTPFallback, for a server that is set to http and has TLS settings too."""
    with Registry() as plain, Registry(tls=server_tls(certificates)) as secure:
        for served in (plain, secure):
            served.push("team/app", build.single("linux/amd64"), "1")
            setting.serve("reg.example", text=f'server = "http://{served.address}"\nskip_verify = true\n')
            assert (await setting.images().resolve(TAGGED, ANYBODY)).root.body


# redirects


async def test_authorization_never_goes_to_another_host(setting: Setting, registry: Registry):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    config = image.documents[image.root.json["config"]["digest"]]
    registry.auth = Auth("basic", {"ann": "ann-word"})
    with Registry() as bucket:
        bucket.faults = [Fault(authorized=True, status=400), Fault(at="/x", body=config.body)]
        registry.faults = [Fault(at="/v2/*/blobs/*", authorized=True, redirect=f"{bucket.url}/x?X-Amz-Signature=abc")]
        who = access("ann:ann-word")
        found = await setting.images().fetch(TAGGED, config.digest, "config", who)
        assert found.body == config.body
        (asked,) = bucket.log
        assert asked.query == {"X-Amz-Signature": ["abc"]}
        assert "authorization" not in asked.headers


async def test_headers_of_the_hosts_directory_stay_at_home(setting: Setting, registry: Registry):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    setting.serve("reg.example", text=f'server = "{registry.url}"\n[header]\nx-key = "MARKED"\n')
    with Registry() as elsewhere:
        elsewhere.faults = [Fault(body=image.root.body)]
        registry.faults = [Fault(redirect=f"{elsewhere.url}/x")]
        await setting.images().resolve(TAGGED, ANYBODY)
        assert registry.log[0].headers["x-key"] == "MARKED"
        assert "x-key" not in elsewhere.log[0].headers


async def test_who_was_away_comes_home_without_authorization(setting: Setting, registry: Registry):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth("basic", {"ann": "ann-word"})
    with Registry() as elsewhere:
        elsewhere.faults = [Fault(redirect=f"{registry.url}/v2/team/app/manifests/{image.digest}")]
        registry.faults = [Fault(at="*/manifests/1", authorized=True, redirect=f"{elsewhere.url}/x")]
        with pytest.raises(RegistryError) as caught:
            await setting.images().resolve(TAGGED, access("ann:ann-word"))
        assert caught.value.code == "unauthorized"
        assert registry.log[-1].authorization == ""


async def test_a_registrys_authority_counts_for_its_blob_store(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates)) as served, Registry(tls=server_tls(certificates)) as bucket:
        image = served.push("team/app", build.single("linux/amd64"), "1")
        setting.serve("reg.example", text=f'server = "{served.url}"\nca = "{certificates / "ca.pem"}"\n')
        served.faults = [Fault(redirect=f"{bucket.url}/x")]
        bucket.faults = [Fault(body=image.root.body)]
        assert (await setting.images().resolve(TAGGED, ANYBODY)).root.digest == image.digest


async def test_a_client_certificate_stays_at_home(setting: Setting, certificates: Path):
    wanting = server_tls(certificates, client_certificate=True)
    with Registry(tls=wanting) as served, Registry(tls=wanting) as bucket:
        setting.serve(
            "reg.example",
            text=f'server = "{served.url}"\nca = "{certificates / "ca.pem"}"\n'
            f'client = [["{certificates / "cert.pem"}", "{certificates / "key.pem"}"]]\n',
        )
        served.faults = [Fault(redirect=f"{bucket.url}/x")]
        assert (await failure(setting.images())).code in {"tls", "unavailable"}
        assert len(served.log) == 3  # the bucket breaks off the handshake: that may pass, and is tried again
        assert bucket.log == []


async def test_on_the_same_host_authorization_goes_along(setting: Setting, registry: Registry):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth("basic", {"ann": "ann-word"})
    registry.faults = [Fault(at="*/manifests/1", redirect=f"/v2/team/app/manifests/{image.digest}")]
    found = await setting.images().resolve(TAGGED, access("ann:ann-word"))
    assert found.root.digest == image.digest


@pytest.mark.parametrize(("hops", "code"), [(5, None), (6, "unavailable")])
async def test_at_most_five_redirects(setting: Setting, registry: Registry, hops: int, code: str | None):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(redirect="/v2/team/app/manifests/1", times=hops)]
    images = setting.images()
    if code is None:
        assert (await images.resolve(TAGGED, ANYBODY)).root.digest == image.digest
    else:
        assert (await failure(images)).code == code
        assert len(registry.log) == 6


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("ftp://127.0.0.1/x", "malformed"),
        ("file:///etc/passwd", "malformed"),
        ("http://ann:word@127.0.0.1/x", "malformed"),
        ("http://", "unavailable"),  # the same host again, and again
        ("http://[::1", "malformed"),
        ("//", "unavailable"),
        ("http://127.0.0.1:99999/x", "unavailable"),
        ("http://a\x80b/", "malformed"),
    ],
)
async def test_a_redirect_to_nowhere(setting: Setting, registry: Registry, location: str, code: str):
    registry.faults = [Fault(redirect=location)]
    assert (await failure(setting.images())).code == code


async def test_https_never_to_http(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates)) as served, Registry() as plain:
        setting.serve("reg.example", text=f'server = "{served.url}"\nskip_verify = true\n')
        served.faults = [Fault(redirect=f"{plain.url}/x")]
        assert (await failure(setting.images())).code == "tls"
        assert plain.log == []


async def test_a_challenge_of_another_host_is_not_answered(setting: Setting, registry: Registry):
    with Registry() as evil:
        evil.auth = Auth("basic", {"ann": "ann-word"})
        registry.faults = [Fault(redirect=f"{evil.url}/v2/team/app/manifests/1")]
        with pytest.raises(RegistryError) as caught:
            await setting.images().resolve(TAGGED, access("ann:ann-word"))
        assert caught.value.code == "unauthorized"
        assert len(evil.log) == 1


async def test_what_arrives_after_a_redirect_is_hashed(setting: Setting, registry: Registry):
    image = registry.push("team/app", build.single("linux/amd64"), "1")
    with Registry() as elsewhere:
        elsewhere.faults = [Fault(body=b"{}")]
        registry.faults = [Fault(redirect=f"{elsewhere.url}/x")]
        with pytest.raises(RegistryError) as caught:
            await setting.images().fetch(TAGGED, image.digest, "manifest", ANYBODY)
        assert caught.value.code == "digest-mismatch"
