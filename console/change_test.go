package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// changer is a Console whose viewer is user.
func changer(t *testing.T, user *User, messages ...errorqueue.Message) *Console {
	t.Helper()
	return made(t, Config{Identify: func(*http.Request) (User, error) { return *user, nil }}, messages...)
}

// send sends a form, as a page of ours does.
func send(c http.Handler, path string, fields url.Values, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "http://localhost:7337"+path, strings.NewReader(fields.Encode()))
	r.RemoteAddr = "127.0.0.1:50000"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result()
}

var inputs = regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]*? value="([^"]*)"`)

// fields are those of the form on the page of a plan.
func fields(page string) url.Values {
	_, form, _ := strings.Cut(page, `<form class="plan"`)
	all := url.Values{}
	for _, f := range inputs.FindAllStringSubmatch(form, -1) {
		if f[1] != "copy" {
			all.Set(f[1], f[2])
		}
	}
	return all
}

// planOf makes a plan by a link, and returns the page's text and the fields of its form.
func planOf(t *testing.T, c http.Handler, link string) (string, url.Values) {
	t.Helper()
	page := read(t, c, link)
	return page, fields(page)
}

func several(n int) (all []errorqueue.Message) {
	for i := range n {
		all = append(all, oneOf(fmt.Sprintf("id-%d", i), "connection refused"))
	}
	return all
}

const planLink = "/q/orders-error/plan?kind=redrive&filter=reason%3Derror"

func TestAPlanIsOfTickedMessagesOrOfAFilterNeverOfThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(120)...)
		list := read(t, c, "/q/orders-error?filter=reason%3Derror")
		if !strings.Contains(list, "All <b>120</b> matching, not only this page") || !strings.Contains(list, `name="all" value="redrive"`) {
			t.Errorf("the list has no form:\n%s", list)
		}
		marks := regexp.MustCompile(`name="mark" value="([0-9a-f]{32})"`).FindAllStringSubmatch(list, -1)
		if len(marks) != pageRows {
			t.Fatalf("%d rows can be ticked", len(marks))
		}
		ticked := []string{marks[0][1], marks[7][1]}
		for want, form := range map[string]url.Values{
			"Redrive 120 of": {"all": {"redrive"}, "mark": ticked, "filter": {"reason=error"}},
			"Redrive 2 of":   {"ticked": {"redrive"}, "mark": ticked, "filter": {"reason=error"}},
			"Archive 120 of": {"all": {"archive"}, "filter": {""}},
			"Export 2 of":    {"ticked": {"export"}, "mark": ticked},
		} {
			if page := text(t, send(c, "/q/orders-error/plan", form)); !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		for want, form := range map[string]url.Values{
			"Nothing is selected":           {"ticked": {"redrive"}},
			"More than 1000 messages":       {"ticked": {"redrive"}, "mark": {strings.Repeat(ticked[0]+",", 1001)}},
			"has no mark":                   {"ticked": {"redrive"}, "mark": {"../../x"}},
			"does not say what is to be":    {"all": {"drop"}},
			`a term is &#34;reasn&#34;`:     {"all": {"redrive"}, "filter": {"reasn=x"}},
			"No message is left to choose.": {"all": {"redrive"}, "filter": {"reason=nothing"}},
		} {
			if page := text(t, send(c, "/q/orders-error/plan", form)); !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
	})
}

func TestAPlanIsCarriedOutOnceByWhoMadeItAndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(12)...)
		page, form := planOf(t, c, planLink)
		if !strings.Contains(page, ">Redrive 12</button>") || form.Get("batches") != "1,10,100,1000" {
			t.Fatalf("the plan is\n%s", page)
		}
		form.Set("batches", "")
		refused := func(name string, want int, answer *http.Response) string {
			t.Helper()
			said := text(t, answer)
			if answer.StatusCode != want {
				t.Errorf("%s: %s, want %d\n%s", name, answer.Status, want, said)
			}
			return said
		}
		refused("another site", http.StatusForbidden, send(c, "/q/orders-error/redrive", form, "Sec-Fetch-Site", "cross-site"))
		refused("another queue", http.StatusForbidden, send(c, "/q/mail-error/redrive", form))
		refused("another kind", http.StatusForbidden, send(c, "/q/orders-error/delete", form))
		user.Name = "bob"
		refused("somebody else", http.StatusForbidden, send(c, "/q/orders-error/redrive", form))
		user = owner("eve", Read)
		refused("without the right", http.StatusForbidden, send(c, "/q/orders-error/redrive", form))
		user = owner("eve", Move)
		done := send(c, "/q/orders-error/redrive", form)
		link := done.Header.Get("Location")
		if done.StatusCode != http.StatusSeeOther || !strings.HasPrefix(link, "/ops/") {
			t.Fatalf("%s to %q\n%s", done.Status, link, text(t, done))
		}
		synctest.Wait()
		if said := refused("again", http.StatusForbidden, send(c, "/q/orders-error/redrive", form)); !strings.Contains(said, `href="`+link+`"`) || !strings.Contains(said, "sent before") {
			t.Errorf("it does not lead to the operation:\n%s", said)
		}
		if page := read(t, c, link); !strings.Contains(page, "12 messages redriven, of 12 planned") || !strings.Contains(page, "eve") {
			t.Errorf("the operation is\n%s", page)
		}
		if page := read(t, c, "/ops"); !strings.Contains(page, `href="`+link+`"`) || !strings.Contains(page, "in memory only") {
			t.Errorf("the history is\n%s", page)
		}
		_, late := planOf(t, c, planLink)
		time.Sleep(ticketLife)
		if said := refused("late", http.StatusForbidden, send(c, "/q/orders-error/redrive", late)); !strings.Contains(said, "10 minutes ago") {
			t.Errorf("late:\n%s", said)
		}
		if n := len(c.runner.All()); n != 1 {
			t.Errorf("%d operations were begun", n)
		}
	})
}

func TestWhatIsWrongStandsBesideItsFieldWithWhatWasTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(12)...)
		for _, test := range []struct{ kind, field, typed, want string }{
			{"redrive", "batches", "1,x", "want sizes"},
			{"redrive", "watch", "5", "want a duration"},
			{"redrive", "tolerate", "2", "want a part"},
			{"redrive", "rate", "0.001", "want messages a second"},
			{"redrive", "rate", "NaN", "want messages a second"},
			{"redrive", "to", "orders-error", "want another queue"},
			{"redrive", "sure", "ALL", "type all"},
			{"archive", "archive", "orders", "want another queue"},
			{"delete", "name", "orders", "type the name"},
		} {
			_, form := planOf(t, c, "/q/orders-error/plan?all="+test.kind)
			form.Set("sure", "all")
			form.Set("name", "orders-error")
			form.Set(test.field, test.typed)
			answer := send(c, "/q/orders-error/"+test.kind, form)
			page := text(t, answer)
			if answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, test.want) || fields(page).Get(test.field) != test.typed {
				t.Errorf("%s, %s=%s: %s\n%s", test.kind, test.field, test.typed, answer.Status, page)
			}
			if again := fields(page); again.Get("ticket") == "" || again.Get("ticket") == form.Get("ticket") {
				t.Errorf("%s, %s=%s: there is no new ticket", test.kind, test.field, test.typed)
			}
		}
		if n := len(c.runner.All()); n != 0 {
			t.Errorf("%d operations were begun", n)
		}
	})
}

func TestDeletingWantsTheQueuesName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(3)...)
		_, form := planOf(t, c, "/q/orders-error/plan?kind=delete&filter=reason%3Derror")
		form.Set("name", "orders-error")
		answer := send(c, "/q/orders-error/delete", form)
		if answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s\n%s", answer.Status, text(t, answer))
		}
		synctest.Wait()
		if page := read(t, c, answer.Header.Get("Location")); !strings.Contains(page, "3 messages deleted, of 3 planned") {
			t.Errorf("the operation is\n%s", page)
		}
	})
}

func TestNobodyMovesMessagesIntoAQueueWithoutARightToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := User{Name: "sam", Grants: []Grant{{Queues: "orders-error", Right: Move}}}
		foreign := oneOf("id-1", "boom")
		foreign.Target = "payments"
		c := changer(t, &user, oneOf("id-0", "boom"), foreign)
		if page, form := planOf(t, c, "/q/orders-error/plan?all=redrive"); form.Get("ticket") != "" || !strings.Contains(page, "You may not move messages into payments") {
			t.Errorf("a header leads into another queue:\n%s", page)
		}
		page, form := planOf(t, c, "/q/orders-error/plan?kind=redrive&filter=queue%3Dorders")
		if form.Get("ticket") == "" {
			t.Fatalf("the consumer's own queue is refused:\n%s", page)
		}
		form.Set("to", "payments")
		if answer := send(c, "/q/orders-error/redrive", form); answer.StatusCode != http.StatusConflict {
			t.Errorf("to a typed queue: %s", answer.Status)
		}
		_, form = planOf(t, c, "/q/orders-error/plan?kind=archive&filter=queue%3Dorders")
		form.Set("archive", "payments")
		if answer := send(c, "/q/orders-error/archive", form); answer.StatusCode != http.StatusConflict {
			t.Errorf("an archive that is somebody's queue: %s", answer.Status)
		}
		user.Grants = append(user.Grants, Grant{Queues: "payments", Right: Move})
		if page, form := planOf(t, c, "/q/orders-error/plan?all=redrive"); form.Get("ticket") == "" {
			t.Errorf("with a right to both:\n%s", page)
		}
		if n := len(c.runner.All()); n != 0 {
			t.Errorf("%d operations were begun", n)
		}
	})
}

func TestAConsoleThatOnlyReadsHasNoForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{ReadOnly: true, Identify: func(*http.Request) (User, error) { return owner("eve", Change), nil }}, oneOf("id-1", "boom"))
		mark := markOf(t, c, "orders-error", nil)
		for _, path := range []string{"/q/orders-error", "/q/orders-error?show=list", "/q/orders-error/m/" + mark} {
			page := read(t, c, path)
			if strings.Contains(page, `method="post"`) || strings.Contains(page, "/ops") || !strings.Contains(page, "Reads only.") {
				t.Errorf("%s:\n%s", path, page)
			}
		}
	})
}

func TestButtonsAreThoseForWhichThereIsARight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, oneOf("id-1", "boom"))
		for right, want := range map[Right]string{See: "", Read: "export", Move: "redrive archive export", Change: "redrive archive delete export"} {
			user = owner("eve", right)
			var kinds []string
			for _, b := range regexp.MustCompile(`name="ticked" value="(\w+)"`).FindAllStringSubmatch(read(t, c, "/q/orders-error?show=list"), -1) {
				kinds = append(kinds, b[1])
			}
			if got := strings.Join(kinds, " "); got != want {
				t.Errorf("right %d: %q, want %q", right, got, want)
			}
		}
		user = owner("eve", Change)
		if page := read(t, c, "/q/orders-archive?show=list"); strings.Contains(page, `value="archive"`) {
			t.Error("an archive is offered to be archived")
		}
	})
}

func TestAQueueHasOneOperationAtATimeWhichCanBeStoppedAndGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(12)...)
		_, form := planOf(t, c, planLink)
		_, other := planOf(t, c, planLink)
		link := send(c, "/q/orders-error/redrive", form).Header.Get("Location")
		synctest.Wait()
		answer := send(c, "/q/orders-error/redrive", other)
		if page := text(t, answer); answer.StatusCode != http.StatusConflict || !strings.Contains(page, `href="`+link+`"`) {
			t.Errorf("a second one: %s\n%s", answer.Status, page)
		}
		page := read(t, c, link)
		for _, want := range []string{"<b>2</b> of 12", "moves", ">Stop</button>", `data-events="` + link + `/events"`, `http-equiv="refresh"`, "bunnicula errors redrive orders-error reason=error"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if page := read(t, c, "/q/orders-error"); !strings.Contains(page, `<a href="`+link+`">Redrive 12</a>`) {
			t.Errorf("the page of the queue does not say what runs:\n%s", page)
		}
		stop := url.Values{"ticket": {regexp.MustCompile(`name="ticket" value="([^"]*)"`).FindStringSubmatch(page)[1]}}
		user = owner("eve", Read)
		if answer := send(c, link+"/stop", stop); answer.StatusCode != http.StatusForbidden {
			t.Errorf("stopped without the right: %s", answer.Status)
		}
		user = User{Name: "eve", Grants: []Grant{{Queues: "mail-error", Right: Change}}}
		for _, path := range []string{"", "/events", "/file"} {
			if answer := get(c, link+path); answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s of another's queue: %s", path, answer.Status)
			}
		}
		user = owner("eve", Change)
		if answer := send(c, link+"/stop", stop); answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s\n%s", answer.Status, text(t, answer))
		}
		synctest.Wait()
		page = read(t, c, link)
		if !strings.Contains(page, "Stopped. What was moved") || strings.Contains(page, ">Stop</button>") {
			t.Errorf("after the stop:\n%s", page)
		}
		on := regexp.MustCompile(`href="(/q/orders-error/plan\?goes-on=[^"]*)"`).FindStringSubmatch(page)
		if on == nil {
			t.Fatalf("nothing leads on:\n%s", page)
		}
		page, form = planOf(t, c, on[1])
		if !strings.Contains(page, "What is left of") || form.Get("batches") != "1,10,100,1000" {
			t.Fatalf("the plan that goes on is\n%s", page)
		}
		form.Set("batches", "")
		form.Set("rate", "5")
		next := send(c, "/q/orders-error/redrive", form)
		synctest.Wait()
		s, ok := c.runner.State(strings.TrimPrefix(next.Header.Get("Location"), "/ops/"))
		if !ok || "/ops/"+s.RedriveID != link || s.Rate != 5 || s.Marks != 12 || "/ops/"+s.GoesOn != link {
			t.Errorf("it goes on with %+v, %v", s.Intent, ok)
		}
		if page := read(t, c, link); strings.Contains(page, "goes-on=") || !strings.Contains(page, "Another operation goes on with it") {
			t.Errorf("it can be gone on with twice:\n%s", page)
		}
	})
}

func TestAnExportIsAFileForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Read)
		c := changer(t, &user, several(3)...)
		_, form := planOf(t, c, "/q/orders-error/plan?all=export")
		link := send(c, "/q/orders-error/export", form).Header.Get("Location")
		synctest.Wait()
		answer := get(c, link+"/file")
		if body := text(t, answer); answer.StatusCode != http.StatusOK || !strings.HasSuffix(body, "messages\n") || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), `attachment; filename="export-`) {
			t.Errorf("%s %v\n%s", answer.Status, answer.Header, body)
		}
		user = owner("eve", See)
		if answer := get(c, link+"/file"); answer.StatusCode != http.StatusForbidden {
			t.Errorf("without the right: %s", answer.Status)
		}
		user = owner("eve", Read)
		time.Sleep(time.Hour + time.Second)
		if answer := get(c, link+"/file"); answer.StatusCode != http.StatusNotFound {
			t.Errorf("after an hour: %s", answer.Status)
		}
	})
}

func TestWhatCannotBeWrittenDownIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user, dir := owner("eve", Change), t.TempDir()
		c := made(t, Config{StateDir: dir, Identify: func(*http.Request) (User, error) { return user, nil }}, several(12)...)
		mark := markOf(t, c, "orders-error", nil)
		read(t, c, "/q/orders-error/m/"+mark)
		_, form := planOf(t, c, planLink)
		lines, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
		if err != nil || !strings.Contains(string(lines), `"action":"view"`) || !strings.Contains(string(lines), `"from":"127.0.0.1"`) || strings.Contains(string(lines), "Number") {
			t.Errorf("the audit has %s, %v", lines, err)
		}
		if err := c.audit.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if answer := send(c, "/q/orders-error/redrive", form); answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("a redrive: %s", answer.Status)
		}
		if answer := get(c, "/q/orders-error/m/"+mark); answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("a message: %s", answer.Status)
		}
		if n := len(c.runner.All()); n != 0 {
			t.Errorf("%d operations were begun", n)
		}
	})
}

func TestTextsOfMessagesMakeNoElementsOnPlansAndOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		pages := func(text string) (all []string) {
			c := changer(t, &user, full(text, 1))
			look := func(path string) string {
				page := read(t, c, path)
				all = append(all, skeleton(regexp.MustCompile(`(?s)<p class="command">.*?</p>`).ReplaceAllString(page, "")))
				return page
			}
			var form url.Values
			for _, kind := range []string{"export", "delete", "archive", "redrive"} {
				form = fields(look("/q/orders-error/plan?all=" + kind))
			}
			form.Set("sure", "all")
			answer := send(c, "/q/orders-error/redrive", form)
			if answer.StatusCode != http.StatusSeeOther {
				t.Fatalf("%q: %s", text, answer.Status)
			}
			synctest.Wait()
			look(answer.Header.Get("Location"))
			look("/ops")
			return all
		}
		for _, h := range hostile {
			plain := pages(strings.Repeat("x", len(h)))
			for i, got := range pages(h) {
				if got != plain[i] {
					t.Errorf("%q, page %d: the elements are\n%s\nwant\n%s", h, i, got, plain[i])
				}
			}
		}
	})
}

func TestRatesAreNumbers(t *testing.T) {
	n := 12.34
	if got := (view{}).Rate(&n) + "," + (view{}).Rate(nil); got != "12.3," {
		t.Error(got)
	}
}

func TestEstimatesOfAPlan(t *testing.T) {
	for _, test := range []struct {
		count   int
		batches []int
		watch   time.Duration
		rate    float64
		n       int
		first   time.Duration
		all     time.Duration
	}{
		{count: 1284, n: 0, all: 1284 * time.Millisecond},
		{count: 100, rate: 50, n: 0, all: 2 * time.Second},
		{count: 1284, batches: []int{1, 10, 100, 1000}, watch: 10 * time.Minute, rate: 1, n: 5, first: 10*time.Minute + time.Second, all: 40*time.Minute + 1284*time.Second},
		{count: 5, batches: []int{10}, watch: time.Minute, rate: 1, n: 1, first: time.Minute + 5*time.Second, all: 5 * time.Second},
		{count: 25, batches: []int{10}, watch: time.Minute, rate: 1, n: 3, first: time.Minute + 10*time.Second, all: 2*time.Minute + 25*time.Second},
	} {
		first, all := verdict(test.count, test.batches, test.watch, test.rate)
		if n := batchCount(test.count, test.batches); n != test.n || first != test.first || all != test.all {
			t.Errorf("%+v: %d batches, %s, %s", test, n, first, all)
		}
	}
}
