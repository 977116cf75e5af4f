"""What the composition root takes from the environment."""

import httpx
import pytest

from webhook.app.surroundings import in_environment
from webhook.registry.options import RegistryOptions
from webhook.registry.proxies import proxy_of


@pytest.mark.parametrize(
    ("environment", "api_server", "reserved"),
    [
        ({}, None, ()),
        ({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, None, (("10.96.0.1", 443),)),
        ({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}, None, (("fd00::1", 6443),)),
        ({"KUBERNETES_SERVICE_HOST": "[fd00::1]"}, None, (("fd00::1", 443),)),
        ({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "tcp://x"}, None, ()),
        ({}, "https://api.example:6443", (("api.example", 6443),)),
        ({}, "https://api.example/clusters/one", (("api.example", 443),)),
        ({}, "http://[fd00::1]:8001", (("fd00::1", 8001),)),
        ({}, "https://a b", ()),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "https://10.0.0.1:443", (("10.0.0.1", 443),)),
    ],
)
def test_the_api_servers_that_are_known(environment, api_server, reserved):
    assert in_environment(RegistryOptions(), environment, api_server).reserved == reserved


def test_the_proxies_of_the_environment():
    environment = {"https_proxy": "http://ann:word@proxy.example:3128", "NO_PROXY": ".internal"}
    options = in_environment(RegistryOptions(), environment)
    proxy = proxy_of(options.proxies, httpx.URL("https://reg.example/v2/"))
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.login) == ("proxy.example", 3128, (b"ann", b"word"))
    assert "word" not in repr(options) + repr(proxy)
    assert proxy_of(options.proxies, httpx.URL("https://reg.internal/v2/")) is None
    assert proxy_of(options.proxies, httpx.URL("http://reg.example/v2/")) is None
