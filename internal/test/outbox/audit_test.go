package outbox_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// whole returns facts with which nothing is wrong.
func whole() facts {
	w1, w2 := message{ID: "w1", Kind: work, Key: "k", N: 1}, message{ID: "w2", Kind: work, Key: "k", N: 2}
	a, b := message{ID: "a", Kind: work, Job: "j"}, message{ID: "b", Kind: work, Job: "j", Needs: "a"}
	p, n := message{ID: "p", Kind: poison}, message{ID: "n", Kind: nowhere}
	return facts{
		ledger:  []entry{{w1, false}, {w2, false}, {a, false}, {b, false}, {p, false}, {n, false}, {message{ID: "f", Kind: far}, true}},
		witness: []message{w1, w2, w1, w2, a, p, b},
		effects: []effect{{"q", "w2", false}, {"q", "w1", false}, {"q", "a", false}, {"q", "b", false}},
		parked:  map[string]string{"p": "poison"},
		rows:    []row{{"a", "j", outbox.Done}, {"b", "j", outbox.Done}, {"n", "", outbox.Failed}},
	}
}

func TestTheAccountFindsWhatIsWrong(t *testing.T) {
	if v := audit(whole()); len(v.complaints) > 0 {
		t.Fatalf("nothing is wrong, and it says %q", v.complaints)
	}
	tests := map[string]struct {
		change func(*facts)
		want   string
	}{
		"lost":            {func(f *facts) { f.witness, f.effects = f.witness[:6], f.effects[:3] }, "b (work) was committed, and not published: LOST"},
		"rolled back":     {func(f *facts) { f.ledger = f.ledger[1:] }, "w1 was published, and its transaction was rolled back"},
		"nowhere":         {func(f *facts) { f.witness = append(f.witness, message{ID: "n"}) }, "n was published, and is nowhere"},
		"cancelled":       {func(f *facts) { f.witness = append(f.witness, message{ID: "f"}) }, "f was published, and is far"},
		"not cancelled":   {func(f *facts) { f.ledger[6].cancelled = false }, "f (far): cancelled is false"},
		"effect twice":    {func(f *facts) { f.effects = append(f.effects, effect{"q", "w1", false}) }, "w1 (work) has 2 effects"},
		"no effect":       {func(f *facts) { f.effects = f.effects[1:] }, "w2 (work) has 0 effects"},
		"both":            {func(f *facts) { f.parked["w1"] = "why" }, "w1 (work) has 1 effects; parked: true why"},
		"neither":         {func(f *facts) { f.parked = nil }, "p (poison) has 0 effects; parked: false"},
		"early":           {func(f *facts) { f.effects[0].early = true }, "w2 was handled before it was due"},
		"effect of none":  {func(f *facts) { f.effects = append(f.effects, effect{"q", "x", false}) }, "x has an effect, and was not published"},
		"parked of none":  {func(f *facts) { f.parked["x"] = "" }, "x is parked, and was not published"},
		"needed later":    {func(f *facts) { slices.Reverse(f.effects) }, "b was handled before a, which it needs"},
		"inverted":        {func(f *facts) { f.witness[0], f.witness[1] = f.witness[1], f.witness[0] }, "key k: 2 (w2) was published when 1 was next"},
		"taken":           {func(f *facts) { f.rows = append(f.rows, row{"w1", "", 6}) }, `w1 (work, job "") has a row: true, waiting (6)`},
		"held":            {func(f *facts) { f.rows[1].state = outbox.Held }, `b (work, job "j") has a row: true, held (1)`},
		"job's row gone":  {func(f *facts) { f.rows = f.rows[1:] }, `a (work, job "j") has a row: false`},
		"failed row gone": {func(f *facts) { f.rows = f.rows[:2] }, `n (nowhere, job "") has a row: false`},
		"strange row":     {func(f *facts) { f.rows = append(f.rows, row{"x", "", outbox.Waiting}) }, "x has a row, and is not in the ledger"},
		"left in a queue": {func(f *facts) { f.leftOver = map[string]int{"q": 3} }, "3 messages are left in q"},
	}
	for name, test := range tests {
		f := whole()
		test.change(&f)
		v := audit(f)
		if !slices.ContainsFunc(v.complaints, func(s string) bool { return strings.Contains(s, test.want) }) {
			t.Errorf("%s: it says %q, want %q", name, v.complaints, test.want)
		}
	}
}
