package console_test

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestWhatARedactShowsIsWhatAPlanMoves(t *testing.T) {
	s := open(t, 3, func(cfg *console.Config) {
		cfg.Redact = func(m *errorqueue.Message) {
			m.ID, m.Error, m.Body = "customer "+m.ID[len(m.ID)-1:], "withheld", nil
			delete(m.Headers, "colour")
		}
	})
	_, form := s.plan("kind=redrive&filter=id%3D%22customer%201%22+error~withheld")
	page := s.over(s.do("redrive", form), "Done.")
	if !strings.Contains(page, "1 message redriven, of 1 planned") {
		t.Errorf("the report is\n%s", page)
	}
	s.depths(1, 2)
	if page := s.get("/ops/q/" + s.queue + "-error?show=list"); strings.Contains(page, "connection refused") || strings.Contains(page, ">id-") {
		t.Errorf("what the redrive has read is not redacted:\n%s", page)
	}
}
