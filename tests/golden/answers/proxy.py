"""The form of golden/proxy: the proxy that golang.org/x/net/http/httpproxy chooses for URLs, `invalid` where Go's
net/url does not read one, null where it is asked directly."""

from typing import Any

from webhook.core.goproxy import ProxyRules
from webhook.core.gourl import parse_url


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`proxies`: one for each of the question's URLs."""
    environment = {"HTTP_PROXY": question["http"], "HTTPS_PROXY": question["https"], "NO_PROXY": question["no"]}
    rules = ProxyRules.from_environment(environment)
    return {"proxies": [_asked(rules, url) for url in question["urls"]]}


def _asked(rules: ProxyRules, text: str) -> str | None:
    try:
        url = parse_url(text)
    except ValueError:
        return "invalid"
    proxy = rules.proxy_for(url)
    return None if proxy is None else str(proxy)
