package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// pageOf sends the form of a selection, and returns the page to which that leads.
func pageOf(t *testing.T, c http.Handler, form url.Values) string {
	t.Helper()
	answer := send(c, "/q/orders-error/plan", form)
	if answer.StatusCode == http.StatusSeeOther {
		return read(t, c, answer.Header.Get("Location"))
	}
	return text(t, answer)
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
			if page := pageOf(t, c, form); !strings.Contains(page, want) {
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
			if page := pageOf(t, c, form); !strings.Contains(page, want) {
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

func TestAPlanOfAnotherProcessIsRefusedEvenWithTheSameKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Key: []byte(strings.Repeat("k", 32)), Identify: func(*http.Request) (User, error) { return owner("eve", Change), nil }}
		_, form := planOf(t, made(t, cfg, several(3)...), planLink)
		time.Sleep(time.Second)
		c := made(t, cfg, several(5)...) // whose first reading has the same number
		planOf(t, c, planLink)
		if answer := send(c, "/q/orders-error/redrive", form); answer.StatusCode != http.StatusConflict || !strings.Contains(text(t, answer), "Plan again") {
			t.Errorf("it is carried out: %s", answer.Status)
		}
		if n := len(c.runner.All()); n != 0 {
			t.Errorf("%d operations were begun", n)
		}
	})
}

func TestABrowserCanGoBackToAPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(60)...)
		marks := marksOf(t, c, "orders-error")
		answer := send(c, "/q/orders-error/plan", url.Values{"ticked": {"redrive"}, "mark": marks[:2], "ticket": {"secret"}})
		if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || strings.Contains(to, "secret") || strings.Count(to, "mark=") != 2 {
			t.Errorf("%s, to %s", answer.Status, to)
		}
		answer = send(c, "/q/orders-error/plan", url.Values{"all": {"redrive"}, "mark": marks[:2], "filter": {"reason=error"}})
		if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || strings.Contains(to, "mark=") {
			t.Errorf("%s, to %s", answer.Status, to)
		}
		answer = send(c, "/q/orders-error/plan", url.Values{"ticked": {"redrive"}, "mark": append(marks, strings.Repeat(marks[0]+",", 900))})
		if page := text(t, answer); answer.StatusCode != http.StatusOK || !strings.Contains(page, "Redrive "+fmt.Sprint(len(marks))+" of") {
			t.Errorf("%s, want the page: its link would be too long for proxies", answer.Status)
		}
	})
}
