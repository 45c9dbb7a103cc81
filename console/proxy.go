package console

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A proxy that is trusted says in headers how a request has reached it: from where, by which host,
// with TLS, and below which path. From anybody else these headers change nothing.

// received is a request as the browser has sent it.
type received struct {
	request *http.Request // its RemoteAddr and Host are the browser's
	base    string        // the path that all links begin with, and with a slash at its end
	secure  bool          // the browser uses TLS
}

// forwardedError says which header of a trusted proxy cannot be used.
type forwardedError struct{ header, want string }

func (e *forwardedError) Error() string {
	return fmt.Sprintf("the header %s of a trusted proxy is not %s", e.header, e.want)
}

var errForwardedTwice = errors.New("there are several")

// receive reads the headers of the proxies that are trusted.
func (c Config) receive(r *http.Request) (received, error) {
	got := received{request: r, base: c.BasePath, secure: r.TLS != nil}
	peer := address(r.RemoteAddr)
	if !c.trusts(peer) {
		return got, nil
	}
	there := new(http.Request)
	*there = *r
	got.request = there
	if from, ok := c.client(peer, r.Header); !ok {
		return got, &forwardedError{"X-Forwarded-For", "a list of addresses"}
	} else if from != peer {
		there.RemoteAddr = net.JoinHostPort(from.String(), "0")
	}
	host, err := single(r.Header, "X-Forwarded-Host")
	if err != nil || host != "" && !hostPattern.MatchString(host) {
		return got, &forwardedError{"X-Forwarded-Host", "one host"}
	}
	there.Host = cmp.Or(host, there.Host)
	return got, got.outside(r.Header)
}

// outside reads how browsers reach the proxy: with TLS or not, and below which path.
func (got *received) outside(h http.Header) error {
	proto, err := single(h, "X-Forwarded-Proto")
	if err != nil || proto != "" && proto != "http" && proto != "https" {
		return &forwardedError{"X-Forwarded-Proto", "http or https"}
	}
	got.secure = proto == "https" || proto == "" && got.secure
	prefix, err := single(h, "X-Forwarded-Prefix")
	if err != nil || prefix != "" && !isPrefix(prefix) {
		return &forwardedError{"X-Forwarded-Prefix", "one path such as /ops"}
	}
	if prefix != "" {
		got.base = strings.TrimSuffix(prefix, "/") + "/"
	}
	return nil
}

// trusts says whether a peer is a proxy whose headers count.
func (c Config) trusts(peer netip.Addr) bool {
	return slices.ContainsFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// client returns the address that the trusted proxies have had the request from. Each proxy adds
// the one that it knows at the end, and what is before that may be forged.
func (c Config) client(peer netip.Addr, h http.Header) (netip.Addr, bool) {
	text := strings.Join(h.Values("X-Forwarded-For"), ",")
	if text == "" {
		return peer, true
	}
	for _, entry := range slices.Backward(strings.Split(text, ",")) {
		if peer = address(strings.TrimSpace(entry)); !peer.IsValid() {
			return peer, false
		}
		if !c.trusts(peer) {
			break
		}
	}
	return peer, true
}

// address reads an address with or without a port. It is invalid if the text is none.
func address(text string) netip.Addr {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(strings.Trim(text, "[]"))
	return a.Unmap().WithZone("")
}

// single returns the value of a header, "" without one. A proxy that adds its value to that of the
// request, in place of it, has no value that can be trusted.
func single(h http.Header, name string) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || strings.Contains(values[0], ","):
		return "", errForwardedTwice
	}
	return strings.TrimSpace(values[0]), nil
}

var (
	hostPattern   = regexp.MustCompile(`^(?:[0-9A-Za-z._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$`)
	prefixPattern = regexp.MustCompile(`^/[0-9A-Za-z._~/-]{0,200}$`)
)

// isPrefix says whether a text is a path that links may begin with.
func isPrefix(text string) bool {
	clean := path.Clean(text)
	return prefixPattern.MatchString(text) && (clean == text || clean+"/" == text)
}
