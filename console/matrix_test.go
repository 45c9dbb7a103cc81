package console

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// matrix says of each route who may use it, once more than the table of routes does. A route
// that is not here fails the test.
var matrix = map[string]struct {
	path    string // "MARK" and "GROUP" are those of a parked message
	needs   Right  // to all queues
	public  bool   // nobody is asked who it is
	answers int    // to whom it is allowed
	changes bool   // there is no such route if the Config is ReadOnly, though it is a GET
}{
	"GET static/{file}":           {path: "static/style.css", public: true, answers: http.StatusOK},
	"GET login":                   {path: "login?token=none", public: true, answers: http.StatusForbidden},
	"GET ":                        {path: "", answers: http.StatusBadGateway},                   // there is no broker
	"GET doctor":                  {path: "doctor", needs: See, answers: http.StatusBadGateway}, // the same
	"GET topology":                {path: "topology", answers: http.StatusOK},
	"GET search":                  {path: "search", answers: http.StatusOK},
	"GET c/{queue}":               {path: "c/orders", needs: See, answers: http.StatusBadGateway},                                 // the same
	"GET c/{queue}/order":         {path: "c/orders/order?do=pause", needs: Move, answers: http.StatusNotFound, changes: true},    // this process has no consumer
	"POST c/{queue}/order":        {path: "c/orders/order", needs: Move, answers: http.StatusForbidden},                           // without a ticket
	"GET fleet":                   {path: "fleet", answers: http.StatusOK},                                                        // it shows what the viewer may see
	"GET fleet/order":             {path: "fleet/order?do=pause&name=orders", needs: Move, answers: http.StatusOK, changes: true}, // of consumers that nobody knows
	"POST fleet/order":            {path: "fleet/order", answers: http.StatusForbidden},                                           // without a ticket
	"GET q/{queue}":               {path: "q/orders-error", needs: See, answers: http.StatusOK},
	"GET q/{queue}/events":        {path: "q/orders-error/events", needs: See, answers: http.StatusOK},
	"GET q/{queue}/g/{group}":     {path: "q/orders-error/g/GROUP", needs: See, answers: http.StatusOK},
	"GET q/{queue}/compare":       {path: "q/orders-error/compare?a=MARK&b=MARK", needs: Read, answers: http.StatusOK},
	"GET q/{queue}/m/{mark}":      {path: "q/orders-error/m/MARK", needs: Read, answers: http.StatusOK},
	"GET q/{queue}/m/{mark}/body": {path: "q/orders-error/m/MARK/body", needs: Read, answers: http.StatusOK},
	"GET q/{queue}/plan":          {path: "q/orders-error/plan", needs: Read, answers: http.StatusBadRequest, changes: true},
	"POST q/{queue}/plan":         {path: "q/orders-error/plan", needs: Read, answers: http.StatusBadRequest},   // the form is empty
	"POST q/{queue}/redrive":      {path: "q/orders-error/redrive", needs: Move, answers: http.StatusForbidden}, // there is no ticket
	"POST q/{queue}/archive":      {path: "q/orders-error/archive", needs: Move, answers: http.StatusForbidden},
	"POST q/{queue}/delete":       {path: "q/orders-error/delete", needs: Change, answers: http.StatusForbidden},
	"POST q/{queue}/export":       {path: "q/orders-error/export", needs: Read, answers: http.StatusForbidden},
	"GET ops":                     {path: "ops", answers: http.StatusOK, changes: true},
	"GET ops/{id}":                {path: "ops/none", answers: http.StatusNotFound, changes: true},
	"GET ops/{id}/events":         {path: "ops/none/events", answers: http.StatusNotFound, changes: true},
	"GET ops/{id}/file":           {path: "ops/none/file", answers: http.StatusNotFound, changes: true},
	"POST ops/{id}/stop":          {path: "ops/none/stop", answers: http.StatusNotFound},
}

func TestEachRouteIsForWhomTheMatrixSays(t *testing.T) {
	for _, r := range routes() {
		if _, ok := matrix[r.method+" "+r.pattern]; !ok {
			t.Errorf("the matrix lacks %q: say there who may use it", r.method+" "+r.pattern)
		}
	}
	for name, row := range matrix {
		i := slices.IndexFunc(routes(), func(r route) bool { return r.method+" "+r.pattern == name })
		if i < 0 {
			t.Errorf("the matrix has %q, and there is no such route", name)
			continue
		}
		changes := routes()[i].changes() || row.changes
		for _, readOnly := range []bool{false, true} {
			for right := Right(-1); right <= Change; right++ { // -1 is somebody unknown, 0 somebody without a right
				synctest.Test(t, func(t *testing.T) {
					answer := askAs(t, right, readOnly, routes()[i].method, row.path)
					page := text(t, answer)
					denied := strings.Contains(page, "<h1>Not yours to ") || strings.Contains(page, "does not know who you are")
					allowed, want := row.public || right >= 0 && right >= row.needs, row.answers
					if !allowed {
						want = http.StatusForbidden
					}
					if changes && readOnly && right >= 0 {
						allowed, want = true, http.StatusNotFound
					}
					if answer.StatusCode != want || denied == allowed {
						t.Errorf("%s, right %d, ReadOnly %v: %s (denied: %v), want %d (denied: %v)", name, right, readOnly, answer.Status, denied, want, !allowed)
					}
				})
			}
		}
	}
}

// askAs makes a request as a user with a right to all queues, of a Console with one parked message.
func askAs(t *testing.T, right Right, readOnly bool, method, path string) *http.Response {
	t.Helper()
	login, err := NewLogin(false, nil)
	if err != nil {
		t.Fatal(err)
	}
	user := User{Name: "sam"}
	var unknown error
	c := made(t, Config{Login: login, ReadOnly: readOnly, Identify: func(*http.Request) (User, error) { return user, unknown }}, oneOf("id-1", "boom"))
	path = "/" + strings.NewReplacer("MARK", markOf(t, c, "orders-error", &user), "GROUP", groupName("g")).Replace(path)
	user.Grants = []Grant{{Queues: "*", Right: right}}
	if right < 0 {
		unknown = errNotLocal
	}
	return ask(c, method, path)
}

func TestARightToAQueueIsNoneToAnother(t *testing.T) {
	for _, r := range routes() {
		if r.of != thisQueue && r.of != everyQueue {
			continue
		}
		row := matrix[r.method+" "+r.pattern]
		synctest.Test(t, func(t *testing.T) {
			c := made(t, Config{Identify: func(*http.Request) (User, error) {
				return User{Name: "sam", Grants: []Grant{{Queues: "order", Right: Change}, {Queues: "refunds*", Right: Change}}}, nil
			}}, oneOf("id-1", "boom"))
			answer := ask(c, r.method, "/"+row.path)
			if page := text(t, answer); answer.StatusCode != http.StatusForbidden || !strings.Contains(page, "<h1>Not yours to ") {
				t.Errorf("%s %s: %s\n%s", r.method, r.pattern, answer.Status, page)
			}
		})
	}
}

func TestEachPathAnswersItsMethodsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		login, _ := NewLogin(false, nil)
		c := made(t, Config{Login: login, Identify: func(*http.Request) (User, error) { return owner("sam", Change), nil }})
		for _, row := range matrix {
			path, _, _ := strings.Cut(row.path, "?")
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "QUERY"} {
				found, _, allow := choose(c.routes, method, strings.FieldsFunc(path, func(r rune) bool { return r == '/' }))
				if found != nil {
					continue
				}
				answer := ask(c, method, "/"+path)
				if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != strings.Join(allow, ", ") {
					t.Errorf("%s %s: %s, %q", method, path, answer.Status, answer.Header.Get("Allow"))
				}
			}
		}
	})
}
