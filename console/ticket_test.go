package console

import (
	"strings"
	"testing"
	"time"
)

func TestATicketIsForOneUserOneActionAndOneSubjectOnce(t *testing.T) {
	now := time.Now()
	all := newTickets([]byte(strings.Repeat("k", 32)))
	text, err := all.issue("eve", "redrive", "orders-error", map[string]int{"count": 3}, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another user":    second(all.read(text, "bob", "redrive", "orders-error", now)),
		"another action":  second(all.read(text, "eve", "delete", "orders-error", now)),
		"another subject": second(all.read(text, "eve", "redrive", "mail-error", now)),
		"another key":     second(newTickets([]byte("x")).read(text, "eve", "redrive", "orders-error", now)),
		"too short":       second(all.read(text[:20], "eve", "redrive", "orders-error", now)),
		"nothing":         second(all.read("", "eve", "redrive", "orders-error", now)),
		"not base64":      second(all.read("§", "eve", "redrive", "orders-error", now)),
		"one letter off":  second(all.read(text[:60]+"A"+text[61:], "eve", "redrive", "orders-error", now)),
	} {
		if err != errTicket {
			t.Errorf("%s: %v, want %v", name, err, errTicket)
		}
	}
	if err := second(all.read(text, "eve", "redrive", "orders-error", now.Add(ticketLife))); err != errExpired {
		t.Errorf("after its life: %v", err)
	}
	one, err := all.read(text, "eve", "redrive", "orders-error", now.Add(ticketLife-time.Second))
	if err != nil || string(one.Payload) != `{"count":3}` {
		t.Fatalf("%v, %q", err, one.Payload)
	}
	if !all.use(one, now) || all.use(one, now) || all.use(one, now.Add(ticketLife-time.Second)) {
		t.Error("it was used twice")
	}
}

func TestUsedTicketsAreForgottenWhenTheyExpire(t *testing.T) {
	now := time.Now()
	all := newTickets([]byte("k"))
	for i := range 100 {
		at := now.Add(time.Duration(i) * time.Minute)
		text, err := all.issue("eve", "redrive", "q", nil, at)
		if err != nil {
			t.Fatal(err)
		}
		one, err := all.read(text, "eve", "redrive", "q", at)
		if err != nil || !all.use(one, at) {
			t.Fatal(err)
		}
	}
	if n := len(all.used); n > 11 {
		t.Errorf("%d used tickets are remembered", n)
	}
}

func second(_ ticket, err error) error { return err }
