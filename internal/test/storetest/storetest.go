// Package storetest checks that a use.Store keeps what it promises, whatever it stands on.
package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/use"
)

// script is what several claimants do with one key.
type script struct {
	t     *testing.T
	store use.Store
	key   string
	unit  time.Duration
}

// Check runs the scripts against Stores that make returns. A unit is as short as the Store's clock
// allows: scripts wait for several.
func Check(t *testing.T, unit time.Duration, make func(t *testing.T) use.Store, run func(t *testing.T, test func(t *testing.T))) {
	for name, play := range map[string]func(s script){
		"a key that is claimed is busy until it is settled": func(s script) {
			s.claims("a", use.ClaimNew)
			s.claims("b", use.ClaimBusy)
			s.settles("a", false)
			s.claims("b", use.ClaimNew)
			s.claims("a", use.ClaimBusy)
		},
		"a key that is done stays so": func(s script) {
			s.claims("a", use.ClaimNew)
			s.settles("a", true)
			s.claims("b", use.ClaimDone)
			s.settles("b", false)
			s.settles("a", false)
			s.claims("a", use.ClaimDone)
		},
		"a mark ends after keep": func(s script) {
			s.claims("a", use.ClaimNew)
			s.settles("a", true) // for 20 units
			s.wait(10)
			s.claims("b", use.ClaimDone)
			s.wait(11)
			s.claims("b", use.ClaimNew)
		},
		"a lease ends": func(s script) {
			s.claims("a", use.ClaimNew) // for 10 units
			s.wait(5)
			s.claims("b", use.ClaimBusy)
			s.wait(6)
			s.claims("b", use.ClaimNew)
			s.claims("a", use.ClaimBusy)
		},
		"the same token begins the lease anew": func(s script) {
			s.claims("a", use.ClaimNew)
			s.wait(6)
			s.claims("a", use.ClaimNew)
			s.wait(6)
			s.claims("b", use.ClaimBusy)
		},
		"a late settle leaves the claim of another": func(s script) {
			s.claims("a", use.ClaimNew)
			s.wait(11)
			s.claims("b", use.ClaimNew)
			s.settles("a", false)
			s.claims("c", use.ClaimBusy)
			s.settles("a", true)
			s.claims("c", use.ClaimBusy)
			s.settles("b", false)
			s.claims("c", use.ClaimNew)
		},
		"a late settle leaves the mark of another": func(s script) {
			s.claims("a", use.ClaimNew)
			s.wait(11)
			s.claims("b", use.ClaimNew)
			s.settles("b", true)
			s.settles("a", false)
			s.claims("c", use.ClaimDone)
		},
		"work that is done late is marked if nobody else is about to do it": func(s script) {
			s.claims("a", use.ClaimNew)
			s.wait(11)
			s.settles("a", true)
			s.claims("b", use.ClaimDone)
		},
		"so it is if another has claimed it, and died": func(s script) {
			s.claims("a", use.ClaimNew)
			s.wait(11)
			s.claims("b", use.ClaimNew)
			s.wait(11)
			s.settles("a", true)
			s.claims("c", use.ClaimDone)
		},
		"work that failed late frees nothing": func(s script) {
			s.claims("a", use.ClaimNew)
			s.wait(11)
			s.settles("a", false)
			s.claims("b", use.ClaimNew)
			s.settles("a", false)
			s.claims("c", use.ClaimBusy)
		},
		"a busy key says when the lease ends": func(s script) {
			s.claims("a", use.ClaimNew)
			s.wait(4)
			if c := s.claims("b", use.ClaimBusy); c.Left < 2*s.unit || c.Left > 6*s.unit {
				s.t.Errorf("%s are left of %s, of which 4 parts in 10 have passed", c.Left, 10*s.unit)
			}
		},
		"keys are apart": func(s script) {
			for i, key := range []string{"", "q:m", "q:m ", "q:M", "q:\x00", "q:\xff", "q:{m}", "q:ü", strings.Repeat("x", 600), strings.Repeat("x", 601)} {
				s.key = key
				s.claims(fmt.Sprintf("%x", i), use.ClaimNew)
			}
			s.key = "q:m"
			s.settles("1", true)
			s.claims("b", use.ClaimDone)
			s.key = "q:m "
			s.claims("b", use.ClaimBusy)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T) { play(script{t: t, store: make(t), key: "orders:m1", unit: unit}) })
		})
	}
}

// claims claims the key for 10 units.
func (s script) claims(token string, want use.ClaimState) use.Claim {
	s.t.Helper()
	c, err := s.store.Claim(s.t.Context(), s.key, token, 10*s.unit)
	if err != nil || c.State != want {
		s.t.Fatalf("%s claims %.20q: %+v, %v, want state %d", token, s.key, c, err, want)
	}
	return c
}

// settles keeps marks for 20 units.
func (s script) settles(token string, done bool) {
	s.t.Helper()
	if err := s.store.Settle(s.t.Context(), s.key, token, done, 20*s.unit); err != nil {
		s.t.Fatalf("%s settles %.20q: %v", token, s.key, err)
	}
}

func (s script) wait(units int) { time.Sleep(time.Duration(units) * s.unit) }
