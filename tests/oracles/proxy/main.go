// Command proxy answers which proxy Go programs ask for a URL, given the values of
// HTTP_PROXY, HTTPS_PROXY and NO_PROXY (golang.org/x/net/http/httpproxy, which
// net/http.ProxyFromEnvironment is made of).
package main

import (
	"net/url"

	"golang.org/x/net/http/httpproxy"
	"podgate.dev/oracles/internal/jsonl"
)

type question struct {
	HTTP  string   `json:"http"`
	HTTPS string   `json:"https"`
	No    string   `json:"no"`
	URLs  []string `json:"urls"`
}

type answer struct {
	// Proxies has one element for each URL: the proxy, null (asked directly),
	// "invalid" (net/url does not read the URL) or "error".
	Proxies []any `json:"proxies"`
}

func main() {
	jsonl.Serve(func(q question) answer {
		choose := (&httpproxy.Config{HTTPProxy: q.HTTP, HTTPSProxy: q.HTTPS, NoProxy: q.No}).ProxyFunc()
		result := answer{Proxies: []any{}}
		for _, text := range q.URLs {
			result.Proxies = append(result.Proxies, proxyFor(choose, text))
		}
		return result
	})
}

func proxyFor(choose func(*url.URL) (*url.URL, error), text string) any {
	target, err := url.Parse(text)
	if err != nil {
		return "invalid"
	}
	proxy, err := choose(target)
	switch {
	case err != nil:
		return "error"
	case proxy == nil:
		return nil
	}
	return proxy.String()
}
