"""Which realms get a registry's credentials. The table is the rule; a wrong yes in it would give a secret away."""

import pytest

from webhook.core.realm import realm_may_have_credentials

YES = [
    ("registry-1.docker.io", "https://auth.docker.io/token"),
    ("index.docker.io", "https://auth.docker.io/token"),
    ("docker.io", "https://auth.docker.io/token"),
    ("ghcr.io", "https://ghcr.io/token"),
    ("quay.io", "https://quay.io/v2/auth"),
    ("gcr.io", "https://gcr.io/v2/token"),
    ("public.ecr.aws", "https://public.ecr.aws/token/"),
    ("nvcr.io", "https://nvcr.io/proxy_auth"),
    ("myreg.azurecr.io", "https://myreg.azurecr.io/oauth2/token"),
    ("registry.redhat.io", "https://registry.redhat.io/auth/realms/rhcc/protocol/redhat-docker-v2/auth"),
    ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
    ("registry.gitlab.corp.example", "https://gitlab.corp.example/jwt/auth?x=1"),
    ("harbor.corp.example", "https://harbor.corp.example/service/token"),
    ("reg.example", "https://reg.example"),
    ("reg.example", "HTTPS://REG.EXAMPLE/t"),
    ("REG.example", "https://reg.example/t#f"),
    ("reg.example:5000", "https://reg.example:5001/auth"),
    ("reg.example", "https://auth.reg.example/t"),
    ("reg.example", "https://a.b.reg.example:8443/t"),
    ("localhost:5000", "https://localhost:5001/t"),
    ("reg", "https://reg/t"),
    ("10.0.0.1:5000", "https://10.0.0.1/t"),
    ("[fd00::1]:5000", "https://[FD00::1]:5001/t"),
    ("127.0.0.2:5000", "https://127.0.0.3:5001/t"),
    ("localhost:5000", "https://[::1]/t"),
]

NO = [
    # somebody else
    ("reg.example", "https://auth.example/t"),
    ("registry.corp.example", "https://auth.corp.example/t"),
    ("a.azurecr.io", "https://b.azurecr.io/t"),
    ("a.co.uk", "https://b.co.uk/t"),
    ("team.github.io", "https://evil.github.io/t"),
    ("1.dkr.ecr.us-east-1.amazonaws.com", "https://2.dkr.ecr.us-east-1.amazonaws.com/"),
    ("quay.io", "https://auth.docker.io/token"),
    ("evil.docker.io", "https://auth.docker.io/token"),
    ("registry-1.docker.io", "https://evil.docker.io/token"),
    ("registry-1.docker.io", "https://auth.docker.io:8443/token"),
    ("registry-1.docker.io", "https://auth.docker.io.evil.example/token"),
    # nearly the same name
    ("reg.example", "https://evilreg.example/t"),
    ("reg.example", "https://reg.example.evil/t"),
    ("reg.example", "https://reg.exampl/t"),
    ("gitlab.com", "https://evilgitlab.com/t"),
    # a bare top-level name is nobody's own domain
    ("reg.example", "https://example/t"),
    ("example", "https://reg.example/t"),
    ("localhost", "https://evil.localhost/t"),
    ("app.localhost", "https://localhost/t"),
    # addresses are no domains
    ("10.0.0.1", "https://10.0.0.2/t"),
    ("0.0.1", "https://10.0.0.1/t"),
    ("10.0.0.1", "https://0.0.1/t"),
    ("0.0x1", "https://127.0.0x1/t"),
    ("127.0.0.1", "https://127.0.0.1.evil.example/t"),
    ("127.0.0.1", "https://128.0.0.1/t"),
    ("[fd00::1]", "https://[fd00::2]/t"),
    # plain HTTP
    ("reg.example", "http://reg.example/t"),
    ("registry-1.docker.io", "http://auth.docker.io/token"),
    # other schemes, and no URL
    ("reg.example", "ftp://reg.example/t"),
    ("reg.example", "//reg.example/t"),
    ("reg.example", "/t"),
    ("reg.example", "reg.example/t"),
    ("reg.example", ""),
    # what parsers disagree about
    ("reg.example", "https://reg.example@evil.example/t"),
    ("reg.example", "https://evil.example@reg.example/t"),
    ("reg.example", "https://user:word@reg.example/t"),
    ("reg.example", "https://reg.example:443@evil.example/t"),
    ("reg.example", "https://evil.example\\@reg.example/t"),
    ("reg.example", "https://reg.example\\.evil.example/t"),
    ("reg.example", "https://reg.example\\@evil.example"),
    ("reg.example", "https:/\\reg.example/t"),
    ("reg.example", "https:///reg.example/t"),
    ("reg.example", "https://reg.example:/t"),
    ("reg.example", "https://reg.example:x/t"),
    ("reg.example", "https://reg.example%2eevil.example/t"),
    ("reg.example", "https://%72eg.example/t"),
    ("reg.example", "https://reg.example./t"),
    ("reg.example", "https://.reg.example/t"),
    ("reg.example", "https://a..reg.example/t"),
    ("reg.example", "https://r\u0435g.example/t"),
    ("reg.example", "https://reg.example\u3002evil/t"),
    ("reg.example", "https://\u212a.reg.example/t"),
    ("reg.example", " https://reg.example/t"),
    ("reg.example", "https://reg.example/t\n"),
    ("reg.example", "https://reg.example\n/t"),
    ("reg.example", "https://reg.example\t/t"),
    ("reg.example", "https://reg.example/a b"),
    # odd registries
    ("", "https://reg.example/t"),
    (".", "https://reg.example/t"),
    ("reg.example.", "https://reg.example/t"),
    (".example", "https://reg.example/t"),
    ("reg.example/x", "https://reg.example/t"),
    ("reg.example\n", "https://reg.example/t"),
    ("u@reg.example", "https://reg.example/t"),
]


@pytest.mark.parametrize(("registry", "realm"), YES)
def test_yes(registry, realm):
    assert realm_may_have_credentials(registry, realm)


@pytest.mark.parametrize(("registry", "realm"), NO)
def test_no(registry, realm):
    assert not realm_may_have_credentials(registry, realm)


@pytest.mark.parametrize(
    ("registry", "realm", "may"),
    [
        ("reg.example:5000", "http://reg.example:5000/t", True),
        ("reg.example:5000", "http://auth.reg.example/t", True),
        ("127.0.0.2:5000", "http://127.0.0.3:5001/t", True),
        ("reg.example:5000", "https://reg.example/t", True),
        ("reg.example:5000", "http://auth.example/t", False),
        ("registry-1.docker.io", "http://auth.docker.io/token", False),
        ("registry-1.docker.io", "http://auth.docker.io:443/token", False),
    ],
)
def test_a_host_that_is_set_to_plain_http(registry, realm, may):
    assert realm_may_have_credentials(registry, realm, plain_http=True) is may


@pytest.mark.parametrize(
    ("entry", "realm", "may"),
    [
        ("auth.example", "https://auth.example/t", True),
        ("AUTH.example", "https://auth.example/t", True),
        ("auth.example:443", "https://auth.example/t", True),
        ("auth.example:8443", "https://auth.example:8443/t", True),
        ("auth.example", "https://auth.example:8443/t", False),
        ("auth.example:8443", "https://auth.example/t", False),
        ("auth.example", "https://x.auth.example/t", False),
        ("auth.example", "http://auth.example/t", False),
        ("https://auth.example/t", "https://auth.example/t", True),
        ("https://auth.example/t", "https://auth.example:443/t?x=1", True),
        ("https://auth.example/t", "https://auth.example/t/", False),
        ("https://auth.example/t", "https://auth.example/u", False),
        ("https://auth.example", "https://auth.example/u", True),
        ("https://auth.example/", "https://auth.example/u", True),
        ("http://auth.example/t", "http://auth.example/t", False),
        ("http://auth.example/t", "https://auth.example/t", False),
        ("*.example", "https://auth.example/t", False),
        ("", "https://auth.example/t", False),
        ("https://", "https://auth.example/t", False),
    ],
)
def test_realms_that_settings_allow(entry, realm, may):
    assert realm_may_have_credentials("reg.corp", realm, allowed=["other.example", entry]) is may


def test_plain_http_that_settings_allow():
    allowed = ["http://auth.example/t"]
    assert realm_may_have_credentials("reg.corp", "http://auth.example/t", plain_http=True, allowed=allowed)
    assert not realm_may_have_credentials("reg.corp", "http://auth.example/t", plain_http=False, allowed=allowed)
