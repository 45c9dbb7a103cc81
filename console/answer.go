package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// answer is one request and what it is answered with. One goroutine uses it.
type answer struct {
	console *Console
	w       http.ResponseWriter
	r       *http.Request // as the browser has sent it
	base    string        // what the paths of links begin with
	secure  bool          // the browser uses TLS
	parts   []string      // the segments of the path below base
	nonce   string
	user    User
}

// serve answers by the route for the request.
func (a *answer) serve() {
	route, at, allow := choose(a.console.routes, a.r.Method, a.parts)
	if route == nil || route.of != everybody {
		user, refused := a.admit()
		if refused != nil {
			a.problem(refused)
			return
		}
		a.user = user
	}
	switch {
	case len(allow) > 0:
		a.w.Header().Set("Allow", strings.Join(allow, ", "))
		a.problem(&problem{Status: http.StatusMethodNotAllowed, Title: "Not by this method", Text: "This page answers " + strings.Join(allow, ", ") + "."})
	case route == nil:
		a.notFound()
	default:
		if refused := route.denied(a.user, at); refused != nil {
			a.problem(refused)
			return
		}
		if route.stays() {
			a.stream(func() { route.page(a, at) })
			return
		}
		route.page(a, at)
	}
}

func (a *answer) notFound() {
	a.problem(&problem{
		Status: http.StatusNotFound, Title: "No such page",
		Text: "The console has no page for the path " + foreign.Line(a.r.URL.Path, 200) + ".",
		Do:   "It is configured for " + a.base + " (BasePath, --base-path). If browsers reach it by another path, configure that one.",
	})
}

// asked says whether a link of ours, and not a page of somebody else's, asks for work.
func (a *answer) asked(parameter string) string {
	switch a.r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return a.r.URL.Query().Get(parameter)
	}
	return ""
}

// page is what every page has.
type page struct {
	Title   string
	Nonce   string
	Refresh int    // seconds until a browser without scripts loads the page again; 0 is never
	Events  string // the path of the page's hints, or ""
	Every   int    // seconds until a browser with scripts asks again, if there are no hints; 0 is never
	Zones   []zoneLink
	Still   bool   // it was made of a form, so that it cannot be fetched again
	Command string // the line that shows the same
	Here    string // what the navigation marks
	User    string
	May     string // what the viewer may do, in words
	Changes bool   // there are pages that change something
	Data    any

	view
}

// fragment is the header by which our script asks for the main part of a page alone.
const fragment = "Bunnicula-Console-Fragment"

// show renders a page.
func (a *answer) show(status int, name string, p page) {
	p.Nonce, p.User, p.May = a.nonce, a.user.Name, a.user.words(a.console.cfg.ReadOnly)
	p.Changes, p.Still = !a.console.cfg.ReadOnly, p.Still || a.r.Method == http.MethodPost
	if p.view.base == "" {
		p.view = a.view()
	}
	p.Zones = p.view.zones(a.r.URL)
	var main bytes.Buffer
	if err := pages[name].ExecuteTemplate(&main, "main", p); err != nil {
		a.failed(err)
		return
	}
	digest := sha256.Sum256(main.Bytes())
	tag := `"` + hex.EncodeToString(digest[:12]) + `"`
	a.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	a.w.Header().Set("Vary", fragment)
	out := &main
	if a.r.Header.Get(fragment) != "" {
		a.w.Header().Set("ETag", tag)
		if status == http.StatusOK && a.r.Header.Get("If-None-Match") == tag {
			a.w.WriteHeader(http.StatusNotModified)
			return
		}
	} else {
		var whole bytes.Buffer
		if err := pages[name].ExecuteTemplate(&whole, "layout", p); err != nil {
			a.failed(err)
			return
		}
		out = &whole
	}
	a.w.WriteHeader(status)
	_, _ = a.w.Write(out.Bytes()) // a browser that has gone away
}

func (a *answer) failed(err error) {
	a.console.cfg.Log.Error("console page failed", "path", a.r.URL.Path, "err", err)
	http.Error(a.w, "This page could not be made: the log says why.", http.StatusInternalServerError)
}

// problem renders an error page.
func (a *answer) problem(p *problem) {
	a.show(p.Status, "problem", page{Title: p.Title, Data: p})
}

// login lets in who has a token.
func (a *answer) login() {
	if refused := a.checkHost(); refused != nil {
		a.problem(refused)
		return
	}
	l := a.console.cfg.Login
	// A HEAD request, as of a preview, must not use the token up.
	if a.r.Method != http.MethodGet || !l.use(a.r.URL.Query().Get("token")) {
		a.problem(&problem{Status: http.StatusForbidden, Title: "The link is used", Text: "A link works once, for 10 minutes, and this one does not.",
			Do: "Start bunnicula console again, and open the link that it prints."})
		return
	}
	http.SetCookie(a.w, l.cookie(a.console.cfg.Key, a.base, a.secure))
	http.Redirect(a.w, a.r, a.base, http.StatusSeeOther)
}

// static sends a file of ours. It has nothing of a message, so nobody needs a right to it.
func (a *answer) static(name string) {
	file, err := files.ReadFile("static/" + name)
	if err != nil {
		a.notFound()
		return
	}
	http.ServeContent(a.w, a.r, name, time.Time{}, bytes.NewReader(file))
}
