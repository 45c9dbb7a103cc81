package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// answer is one request and what it is answered with. One goroutine uses it.
type answer struct {
	console *Console
	w       http.ResponseWriter
	r       *http.Request
	nonce   string
	user    User
}

// route calls the page for a path.
func (a *answer) route(parts []string) {
	switch {
	case a.r.Method == http.MethodPost:
		a.notFound()
	case len(parts) == 0:
		a.overview()
	case len(parts) == 1 && parts[0] == "topology":
		a.topology()
	case len(parts) == 1 && parts[0] == "search":
		a.search()
	case len(parts) == 1 && parts[0] == "doctor":
		a.doctor()
	case parts[0] == "q" && len(parts) > 1:
		a.routeQueue(parts[1], parts[2:])
	default:
		a.notFound()
	}
}

// routeQueue calls the page for a path below an error queue.
func (a *answer) routeQueue(queue string, parts []string) {
	if !a.user.may(See, queue) {
		a.problem(&problem{Status: http.StatusForbidden, Title: "Not yours to see", Text: "You may not see this queue."})
		return
	}
	switch {
	case len(parts) == 0:
		a.queue(queue)
	case len(parts) == 1 && parts[0] == "events":
		a.events(queue)
	case len(parts) == 2 && parts[0] == "g":
		a.group(queue, parts[1])
	case (len(parts) == 2 || len(parts) == 3 && parts[2] == "body") && parts[0] == "m", len(parts) == 1 && parts[0] == "compare":
		if !a.user.may(Read, queue) {
			a.problem(&problem{Status: http.StatusForbidden, Title: "Not yours to read", Text: "You may see what failed in this queue, but not its messages."})
			return
		}
		switch len(parts) {
		case 1:
			a.compare(queue)
		case 2:
			a.message(queue, parts[1])
		default:
			a.download(queue, parts[1])
		}
	default:
		a.notFound()
	}
}

func (a *answer) notFound() {
	a.problem(&problem{
		Status: http.StatusNotFound, Title: "No such page",
		Text: "The console has no page for the path " + foreign.Line(a.r.URL.Path, 200) + ".",
		Do:   "It is configured for " + a.console.cfg.BasePath + " (BasePath, --base-path). If browsers reach it by another path, configure that one.",
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
	Command string // the line that shows the same
	Here    string // what the navigation marks
	User    string
	Data    any

	view
}

// fragment is the header by which our script asks for the main part of a page alone.
const fragment = "Bunnicula-Console-Fragment"

// show renders a page.
func (a *answer) show(status int, name string, p page) {
	p.Nonce, p.User = a.nonce, a.user.Name
	if p.view.console == nil {
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
	if p.Status == http.StatusMethodNotAllowed {
		a.w.Header().Set("Allow", "GET, HEAD")
	}
	a.show(p.Status, "problem", page{Title: p.Title, Data: p})
}

// login lets in who has a token.
func (a *answer) login() {
	if refused := a.console.checkHost(a.r); refused != nil {
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
	http.SetCookie(a.w, l.cookie(a.console.cfg.BasePath))
	http.Redirect(a.w, a.r, a.console.cfg.BasePath, http.StatusSeeOther)
}

// static sends a file of ours. It has nothing of a message, so nobody needs a right to it.
func (a *answer) static(name string) {
	file, err := files.ReadFile("static/" + name)
	if err != nil || a.r.Method != http.MethodGet && a.r.Method != http.MethodHead {
		a.notFound()
		return
	}
	http.ServeContent(a.w, a.r, name, time.Time{}, bytes.NewReader(file))
}
