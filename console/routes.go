package console

import (
	"net/http"
	"slices"
	"strings"
)

// A route is a page, or what a form is sent to. All that the console answers is in the table
// below, and a test asks for each of them with each right.
type route struct {
	method  string // of GET also answers HEAD. Any other one changes something
	pattern string // segments below the base path; {name} is any one segment
	right   Right  // that the viewer needs, to what of says
	of      scope
	page    func(a *answer, at []string) // at are the segments for the {names}
	when    func(Config) bool            // nil means always
}

// scope says to what a viewer needs a route's right.
type scope int

const (
	anyQueue   scope = iota // to nothing: the page itself leaves out what the viewer may not see
	thisQueue               // to the queue, or the consumer, that is the first {name}
	everyQueue              // to all queues
	everybody               // who makes the request is not asked
)

// routes returns the table. The first one that fits is taken.
func routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "static/{file}", 0, everybody, one((*answer).static), nil},
		{get, "login", 0, everybody, none((*answer).login), Config.hasLogin},
		{get, "", 0, anyQueue, none((*answer).overview), nil},
		{get, "topology", 0, anyQueue, none((*answer).topology), nil},
		{get, "search", 0, anyQueue, none((*answer).search), nil},
		{get, "doctor", See, everyQueue, none((*answer).doctor), nil},
		{get, "c/{queue}", See, thisQueue, one((*answer).consumer), nil},
		{get, "c/{queue}/order", Move, thisQueue, one((*answer).localForm), Config.changes},
		{post, "c/{queue}/order", Move, thisQueue, one((*answer).giveLocal), nil},
		{get, "fleet", 0, anyQueue, none((*answer).fleet), nil},
		{get, "fleet/order", 0, anyQueue, none((*answer).fleetForm), Config.changes},
		{post, "fleet/order", 0, anyQueue, none((*answer).giveFleet), nil},
		{get, "q/{queue}", See, thisQueue, one((*answer).queue), nil},
		{get, "q/{queue}/events", See, thisQueue, one((*answer).events), nil},
		{get, "q/{queue}/g/{group}", See, thisQueue, two((*answer).group), nil},
		{get, "q/{queue}/compare", Read, thisQueue, one((*answer).compare), nil},
		{get, "q/{queue}/m/{mark}", Read, thisQueue, two((*answer).message), nil},
		{get, "q/{queue}/m/{mark}/body", Read, thisQueue, two((*answer).download), nil},
		{get, "q/{queue}/plan", Read, thisQueue, one((*answer).plan), Config.changes},
		{post, "q/{queue}/plan", Read, thisQueue, one((*answer).plan), nil},
		{post, "q/{queue}/redrive", Move, thisQueue, one((*answer).redrive), nil},
		{post, "q/{queue}/archive", Move, thisQueue, one((*answer).archive), nil},
		{post, "q/{queue}/delete", Change, thisQueue, one((*answer).remove), nil},
		{post, "q/{queue}/export", Read, thisQueue, one((*answer).export), nil},
		{get, "ops", 0, anyQueue, none((*answer).operations), Config.changes},
		{get, "ops/{id}", 0, anyQueue, one((*answer).operation), Config.changes},
		{get, "ops/{id}/events", 0, anyQueue, one((*answer).operationEvents), Config.changes},
		{get, "ops/{id}/file", 0, anyQueue, one((*answer).file), Config.changes},
		{post, "ops/{id}/stop", 0, anyQueue, one((*answer).stop), nil},
	}
}

func none(page func(*answer)) func(*answer, []string) {
	return func(a *answer, _ []string) { page(a) }
}

func one(page func(*answer, string)) func(*answer, []string) {
	return func(a *answer, at []string) { page(a, at[0]) }
}

func two(page func(_ *answer, _, _ string)) func(*answer, []string) {
	return func(a *answer, at []string) { page(a, at[0], at[1]) }
}

func (c Config) hasLogin() bool { return c.Login != nil }

func (c Config) changes() bool { return !c.ReadOnly }

// changes says whether the route changes something.
func (r route) changes() bool { return r.method != http.MethodGet }

// stays says whether an answer stays open, for hints.
func (r route) stays() bool { return strings.HasSuffix(r.pattern, "/events") }

// answers says whether the route is for a method.
func (r route) answers(method string) bool {
	return r.method == method || r.method == http.MethodGet && method == http.MethodHead
}

// fits says whether the route is for a path, and returns the segments for its {names}.
func (r route) fits(parts []string) (at []string, ok bool) {
	var names []string
	if r.pattern != "" {
		names = strings.Split(r.pattern, "/")
	}
	if len(names) != len(parts) {
		return nil, false
	}
	for i, name := range names {
		switch {
		case strings.HasPrefix(name, "{"):
			at = append(at, parts[i])
		case name != parts[i]:
			return nil, false
		}
	}
	return at, true
}

// routesOf returns the routes of a Config. None that changes something is among them if it is
// ReadOnly.
func routesOf(cfg Config) []route {
	return slices.DeleteFunc(routes(), func(r route) bool {
		return r.when != nil && !r.when(cfg) || r.changes() && cfg.ReadOnly
	})
}

// choose returns the route for a request. Without one for the method, allow are the methods that
// there are for the path, none if there is no such path.
func choose(all []route, method string, parts []string) (found *route, at []string, allow []string) {
	for i, r := range all {
		at, ok := r.fits(parts)
		if !ok {
			continue
		}
		if r.answers(method) {
			return &all[i], at, nil
		}
		allow = append(allow, r.method)
		if r.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	return nil, nil, allow
}

// denied says why a user may not use the route, nil if that is allowed.
func (r route) denied(u User, at []string) *problem {
	queue := "*"
	switch r.of {
	case anyQueue, everybody:
		return nil
	case thisQueue:
		queue = at[0]
	case everyQueue:
	}
	if u.may(r.right, queue) {
		return nil
	}
	return refusal(r.right, u.may(See, queue), queue == "*")
}

// refusal says which right is missing. sees says that the user has the right to see, and all that
// the right is to all queues.
func refusal(right Right, sees, all bool) *problem {
	p := &problem{Status: http.StatusForbidden}
	switch {
	case all:
		p.Title, p.Text = "Not yours to "+right.String(), "This page is for who may "+right.String()+" all queues."
	case right == See || !sees:
		p.Title, p.Text = "Not yours to see", "You may not see this queue."
	case right == Read:
		p.Title, p.Text = "Not yours to read", "You may see what failed in this queue, but not its messages."
	default:
		p.Title, p.Text = "Not yours to "+right.String(), "You may look at this queue, but not "+right.String()+" anything of it."
	}
	return p
}
