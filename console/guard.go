package console

import (
	"crypto/rand"
	"errors"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
func (a *answer) admit() (User, *problem) {
	if refused := a.checkHost(); refused != nil {
		return User{}, refused
	}
	if refused := a.checkSite(); refused != nil {
		return User{}, refused
	}
	u, err := a.console.identify(a.r)
	var asked *challenge
	switch {
	case errors.As(err, &asked):
		return User{}, a.challenge(asked)
	case errors.Is(err, errNoCookie) && a.r.Header.Get("Sec-Fetch-Site") == "cross-site":
		// A link on another site comes without the cookie, which is for links of this one.
		return User{}, &problem{Status: http.StatusForbidden, Title: "From another site", Text: "This page was opened by a link on another site.", Here: a.path(a.parts...) + query(a.r.URL.Query())}
	case errors.Is(err, errNoCookie), errors.Is(err, errBadCookie):
		return User{}, &problem{Status: http.StatusForbidden, Title: "Not logged in", Text: "This browser is not logged in, or its 12 hours are over.",
			Do: "Start bunnicula console again, and open the link that it prints. Each link works once, for 10 minutes."}
	case err != nil:
		a.console.cfg.Log.Warn("console request refused", "remote", a.r.RemoteAddr, "err", err)
		p := &problem{Status: http.StatusForbidden, Title: "Refused", Text: "The console does not know who you are."}
		if errors.Is(err, errNotLocal) {
			p.Do = "Without Config.Identify and Config.Login it answers this machine alone, and no proxy."
		}
		return User{}, p
	}
	return u, nil
}

// challenge has the browser ask for a password, or says that it has to wait.
func (a *answer) challenge(c *challenge) *problem {
	if c.after > 0 {
		seconds := strconv.Itoa(int(math.Ceil(c.after.Seconds())))
		a.w.Header().Set("Retry-After", seconds)
		return &problem{
			Status: http.StatusTooManyRequests, Title: "Too many wrong passwords",
			Text: "Too many wrong passwords have come from this address.", Do: "Try again in " + seconds + " s.",
		}
	}
	a.w.Header().Set("WWW-Authenticate", `Basic realm="Bunnicula console", charset="UTF-8"`)
	return &problem{Status: http.StatusUnauthorized, Title: "Not logged in", Text: "The console asks for a user and a password.", Do: "Load the page again to be asked."}
}

// checkSite refuses a form that another site sends. Browsers say where a form comes from.
func (a *answer) checkSite() *problem {
	if a.console.sameSite.Check(a.r) == nil {
		return nil
	}
	return &problem{
		Status: http.StatusForbidden, Title: "From another site", Text: "This form was not sent by a page of this console.",
		Do: "Nothing was changed. If a proxy changes the Host header, have it leave the header.",
	}
}

// checkHost refuses a host of another name: a page of somebody else's name could lead to this
// machine, and would then read ours.
func (a *answer) checkHost() *problem {
	if hosts := a.console.cfg.Hosts; len(hosts) == 0 || slices.Contains(hosts, hostOf(a.r.Host)) {
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
	Here   string // the page itself, or another one that helps
	Link   string // the text of that link, "" for the page itself
}
