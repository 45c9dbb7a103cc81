package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func conversations(n int) []Conversation {
	all := make([]Conversation, n)
	for i := range all {
		all[i] = Conversation{ID: fmt.Sprintf("c%d", i+1), Topic: "card", Text: "Where is it?"}
	}
	return all
}

func get(t *testing.T, s *Server, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Result()
}

func TestPagesListEveryConversationOnce(t *testing.T) {
	s := NewServer(Config{Conversations: conversations(250), Rate: 1000})
	var ids []string
	for next := 1; next != 0; {
		res := get(t, s, fmt.Sprintf("/conversations?page=%d", next))
		var page Page
		if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
			t.Fatal(err)
		}
		if page.Number != next || page.Total != 250 {
			t.Errorf("page %d says that it is %d of %d conversations", next, page.Number, page.Total)
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
	s := NewServer(Config{Conversations: conversations(3), Rate: 1000})
	for _, page := range []string{"0", "3", "x", ""} {
		if res := get(t, s, "/conversations?page="+page); res.StatusCode != http.StatusNotFound {
			t.Errorf("page %q: status %d", page, res.StatusCode)
		}
	}
}

func TestSomeConversationsAreGoneOrForbiddenAndAlwaysTheSame(t *testing.T) {
	all := conversations(1000)
	statuses := func(seed uint64) (of []int, count map[int]int) {
		s := NewServer(Config{Conversations: all, Rate: 1 << 20, Seed: seed})
		count = map[int]int{}
		for _, c := range all {
			status := get(t, s, "/conversations/"+c.ID).StatusCode
			of = append(of, status)
			count[status]++
		}
		return of, count
	}
	first, count := statuses(1)
	if count[404] < 10 || count[404] > 60 || count[401] < 5 || count[401] > 50 || count[200] != 1000-count[404]-count[401] {
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
		count[s.trouble("/conversations/c1")]++
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

func TestTooManyRequestsCarryRetryAfterInWholeSeconds(t *testing.T) {
	s := NewServer(Config{Conversations: conversations(1), Rate: 1})
	get(t, s, "/conversations?page=1")
	res := get(t, s, "/conversations?page=1")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "1" {
		t.Errorf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}
