package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// conversations are n ones of the account "acme", with the ids c1 and so on.
func conversations(n int) []Conversation {
	all := make([]Conversation, n)
	for i := range all {
		all[i] = Conversation{Account: "acme", ID: fmt.Sprintf("c%d", i+1), Topic: "card", Text: "Where is it?"}
	}
	return all
}

// acme is a Config with one account and that many conversations.
func acme(n, rate int) Config {
	return Config{Accounts: []Account{{"acme", conversations(n)}}, Rate: rate}
}

func get(t *testing.T, s *Server, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Result()
}

func TestPagesListEveryConversationOnce(t *testing.T) {
	s := NewServer(acme(250, 1000))
	var ids []string
	for next := 1; next != 0; {
		res := get(t, s, fmt.Sprintf("/acme/conversations?page=%d", next))
		var page Page
		if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
			t.Fatal(err)
		}
		if page.Account != "acme" || page.Number != next || page.Total != 250 {
			t.Errorf("page %d says that it is %d of %q, of %d conversations", next, page.Number, page.Account, page.Total)
		}
		ids = append(ids, page.IDs...)
		next = page.Next
	}
	for i, c := range conversations(250) {
		if len(ids) != 250 || ids[i] != c.ID {
			t.Fatalf("the pages list %d conversations: %v", len(ids), ids)
		}
	}
}

func TestAPageThatIsNotThereIsNotFound(t *testing.T) {
	s := NewServer(acme(3, 1000))
	for _, page := range []string{"0", "3", "x", ""} {
		if res := get(t, s, "/acme/conversations?page="+page); res.StatusCode != http.StatusNotFound {
			t.Errorf("page %q: status %d", page, res.StatusCode)
		}
	}
}

func TestSomeConversationsAreGoneOrForbiddenAndAlwaysTheSame(t *testing.T) {
	const n = 1000
	statuses := func(seed uint64) (of []int, count map[int]int) {
		cfg := acme(n, 1<<20)
		cfg.Seed = seed
		s := NewServer(cfg)
		count = map[int]int{}
		for _, c := range conversations(n) {
			status := get(t, s, "/acme/conversations/"+c.ID).StatusCode
			of = append(of, status)
			count[status]++
		}
		return of, count
	}
	first, count := statuses(1)
	if count[404] < 10 || count[404] > 60 || count[401] < 5 || count[401] > 50 || count[200] != n-count[404]-count[401] {
		t.Errorf("statuses: %v", count)
	}
	again, _ := statuses(1)
	if fmt.Sprint(first) != fmt.Sprint(again) {
		t.Error("the same seed gave other statuses")
	}
	if other, _ := statuses(2); fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("another seed gave the same statuses")
	}
}

func TestRequestsFailAtTheRateThatWasAskedFor(t *testing.T) {
	s := NewServer(Config{Rate: 1, FailureRate: 0.3, Seed: 7})
	count := map[trouble]int{}
	for range 2000 {
		count[s.trouble("/acme/conversations/c1")]++
	}
	if failed := count[broken] + count[silent]; failed < 500 || failed > 700 {
		t.Errorf("%d of 2000 requests failed, want about 600", failed)
	}
	if count[silent] < 60 || count[silent] > 180 {
		t.Errorf("%d of 2000 requests get no answer, want about 120", count[silent])
	}
}

func TestWhatIsAboveTheRateIsTurnedAwayAndToldWhenToComeBack(t *testing.T) {
	l := newLimit(10)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10 {
		if _, ok := l.take(now); !ok {
			t.Fatalf("request %d of a full bucket was turned away", i+1)
		}
	}
	for i := range 20 {
		wait, ok := l.take(now)
		if want := time.Duration(i+1) * 100 * time.Millisecond; ok || wait != want {
			t.Fatalf("request %d above the rate: wait %s, %v; want %s", i+1, wait, ok, want)
		}
	}
	now = now.Add(time.Second)
	for i := range 10 {
		if _, ok := l.take(now); !ok {
			t.Fatalf("request %d was turned away a second later", i+1)
		}
	}
	if _, ok := l.take(now.Add(time.Hour)); !ok {
		t.Error("turned away after an hour")
	}
}

func TestEachAccountHasConversationsAndARateOfItsOwn(t *testing.T) {
	cfg := acme(3, 2)
	cfg.Accounts = append(cfg.Accounts, Account{Name: "kiosk", Conversations: []Conversation{{Account: "kiosk", ID: "k1"}}})
	s := NewServer(cfg)
	for range 5 {
		get(t, s, "/acme/conversations/c1")
	}
	for path, want := range map[string]int{"/kiosk/conversations/k1": 200, "/kiosk/conversations/c1": 404, "/nobody/conversations/c1": 404} {
		if res := get(t, s, path); res.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, res.StatusCode, want)
		}
	}
	for account, want := range map[string]Requests{"acme": {5, 3}, "kiosk": {2, 0}, "nobody": {}} {
		if got := s.Requests(account); got != want {
			t.Errorf("%s: counted %+v, want %+v", account, got, want)
		}
	}
}

func TestAnAccountWithoutConversationsHasAnEmptyPage(t *testing.T) {
	res := get(t, NewServer(acme(0, 1)), "/acme/conversations?page=1")
	var page Page
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil || len(page.IDs) != 0 || page.Next != 0 {
		t.Errorf("the page is %+v, %v", page, err)
	}
}

func TestTooManyRequestsCarryRetryAfterInWholeSeconds(t *testing.T) {
	s := NewServer(acme(1, 1))
	get(t, s, "/acme/conversations?page=1")
	res := get(t, s, "/acme/conversations?page=1")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "1" {
		t.Errorf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}
