package console

import (
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// policy is the Content-Security-Policy with the nonce of one answer.
func policy(nonce string) string {
	return "default-src 'none'; script-src 'nonce-" + nonce + "' 'strict-dynamic'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types console"
}

// harden sets the headers of every answer, and returns the nonce of its scripts.
func harden(h http.Header) string {
	nonce := rand.Text()
	h.Set("Content-Security-Policy", policy(nonce))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	return nonce
}

// admit decides whether a request is answered, and for whom.
func (c *Console) admit(r *http.Request) (User, *problem) {
	if refused := c.checkHost(r); refused != nil {
		return User{}, refused
	}
	if refused := c.checkMethod(r); refused != nil {
		return User{}, refused
	}
	u, err := c.identify(r)
	switch {
	case errors.Is(err, errNoCookie) && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		// A link on another site comes without the cookie, which is for links of this one.
		return User{}, &problem{Status: http.StatusForbidden, Title: "From another site", Text: "This page was opened by a link on another site.", Here: c.path(c.parts(r.URL)...) + query(r.URL.Query())}
	case errors.Is(err, errNoCookie), errors.Is(err, errBadCookie):
		return User{}, &problem{Status: http.StatusForbidden, Title: "Not logged in", Text: "This browser is not logged in, or its 12 hours are over.",
			Do: "Start bunnicula console again, and open the link that it prints. Each link works once, for 10 minutes."}
	case err != nil:
		c.cfg.Log.Warn("console request refused", "remote", r.RemoteAddr, "err", err)
		p := &problem{Status: http.StatusForbidden, Title: "Refused", Text: "The console does not know who you are."}
		if errors.Is(err, errNotLocal) {
			p.Do = "Without Config.Identify and Config.Login it answers this machine alone, and no proxy."
		}
		return User{}, p
	}
	return u, nil
}

// checkMethod refuses what is neither reading nor a form of ours. Browsers say where a form comes
// from; a form that another site sends is refused.
func (c *Console) checkMethod(r *http.Request) *problem {
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return nil
	case c.cfg.ReadOnly:
		return &problem{Status: http.StatusMethodNotAllowed, Title: "It only reads", Text: "This console changes nothing."}
	case r.Method != http.MethodPost:
		return &problem{Status: http.StatusMethodNotAllowed, Title: "Not so", Text: "The console has pages and forms, and nothing for the method " + foreign.Line(r.Method, 40) + "."}
	case c.sameSite.Check(r) != nil:
		return &problem{Status: http.StatusForbidden, Title: "From another site", Text: "This form was not sent by a page of this console.",
			Do: "Nothing was changed. If a proxy changes the Host header, have it leave the header."}
	}
	return nil
}

// checkHost refuses a host of another name: a page of somebody else's name could lead to this
// machine, and would then read ours.
func (c *Console) checkHost(r *http.Request) *problem {
	if len(c.cfg.Hosts) == 0 || slices.Contains(c.cfg.Hosts, hostOf(r.Host)) {
		return nil
	}
	return &problem{Status: http.StatusForbidden, Title: "Another host", Text: "The console is not configured for the host of this address.",
		Do: "Open it by one of the configured names, or add the name: --host, or Config.Hosts."}
}

// hostOf removes the port and the brackets of an IPv6 address.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// problem is what an error page says.
type problem struct {
	Status int
	Title  string
	Text   string
	Do     string // what the reader can do, or ""
	Here   string // the page itself, if a link to it helps
}
