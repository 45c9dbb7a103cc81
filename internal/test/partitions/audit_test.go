package partitions_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// scene writes a ledger of one key, "k": "b1" begins message 1, "f1" fails a try of it, "e1" is its
// effect, "E1" one on a redelivery; "!" is a lost session; a word that ends with ' is by process q,
// and by p otherwise.
func scene(text string) (all []entry) {
	for word := range strings.FieldsSeq(text) {
		e := entry{process: "p", message: message{Key: "k"}}
		if w, other := strings.CutSuffix(word, "'"); other {
			word, e.process = w, "q"
		}
		e.what = map[byte]string{'b': begun, 'f': failed, 'e': effect, 'E': effect, '!': lost, 'x': effect}[word[0]]
		e.again = word[0] == 'E'
		if e.what == lost {
			e.Key = "q.p00"
		} else {
			e.N = int(word[1] - '0')
		}
		all = append(all, e)
	}
	return all
}

// whole is one with which nothing is wrong: 1 fails once, 3 is poison, and q takes over at 2.
const whole = "b1 f1 e1 b2 e2 ! b2' b2 E2' E2 b3' f3' f3' b4' e4'"

func newFacts(text string) facts {
	return facts{
		published: []message{{"k", 1}, {"k", 2}, {"k", 3}, {"k", 4}}, ledger: scene(text),
		parked: map[string]int{"k/3": 1}, left: map[string]int{},
		poison: func(m message) bool { return m.N == 3 }, partition: func(string) string { return "q.p00" }, tries: 2,
	}
}

func TestNothingIsWrongWithRepeatsAfterALostSession(t *testing.T) {
	v := audit(newFacts(whole))
	if len(v.inversions)+len(v.backwards)+len(v.wrong) > 0 || v.twice != 2 || v.fresh != 0 || v.effects != 5 || v.failed != 3 || v.parked != 1 || v.behind != 1 || v.sessions != 1 {
		t.Errorf("%v\n%q\n%q\n%q", v, v.inversions, v.backwards, v.wrong)
	}
	v = audit(newFacts(whole + " x2'"))
	if v.twice != 3 || v.fresh != 1 {
		t.Errorf("%v", v)
	}
}

func TestTheAccountFindsWhatIsInverted(t *testing.T) {
	for text, want := range map[string]string{
		"b1 b2' e2' e1 b3 f3 f3 b4 e4":         "q begins k/2 when 1 is next|q has done k/2 when 1 was next",
		"b1 e1 b2 e2 b3 f3 b4' e4' f3":         "q begins k/4 when 3 is next|q has done k/4 when 3 was next",
		"b1 e1 b2 e2 b3 f3 ! b3 f3 b4 f3 e4":   "p begins k/4 when 3 is next",
		"b1 e1 b3 f3 f3 b2 e2 b4 e4":           "p begins k/3 when 2 is next",
		"b1 e1 b2 e2 b3 f3 b3' f3' b4' e4' f3": "q begins k/4 when 3 is next|q has done k/4 when 3 was next",
	} {
		if got := strings.Join(audit(newFacts(text)).inversions, "|"); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestTheAccountFindsAProcessThatGoesBackWithoutAReason(t *testing.T) {
	for text, want := range map[string]string{
		"b1 e1 b2 e2 b1 E1 b2 E2 b3 f3 f3 b4 e4":           "p begins k/1 after 2, and has lost 0 sessions",
		"b1 e1 b2 e2 ! b1 E1 b2 E2 b3 f3 f3 b4 e4":         "",
		"b1 e1 b2 e2 ! b1 E1 b1 E1 b2 E2 b3 f3 f3 b4 e4":   "p begins k/1 after 1, and has lost 1 sessions",
		"b1 e1 b2 e2 !' b1 E1 b2 E2 b3 f3 f3 b4 e4":        "p begins k/1 after 2, and has lost 0 sessions",
		"b1 e1 b2 ! e2 b1 E1 ! b2 E2 b1 E1 b3 f3 f3 b4 e4": "",
	} {
		if got := strings.Join(audit(newFacts(text)).backwards, "|"); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestTheAccountFindsWhatIsLost(t *testing.T) {
	tests := map[string]struct {
		change func(*facts)
		want   string
	}{
		"lost":             {func(f *facts) { f.ledger = f.ledger[:len(f.ledger)-1] }, "k/4 has no effect and is not parked: LOST"},
		"poison lost":      {func(f *facts) { f.parked = nil }, "k/3 has no effect and is not parked: LOST"},
		"begun only":       {func(f *facts) { f.ledger = scene("b1 e1 b2 b3 f3 f3 b4 e4") }, "k/2 has no effect and is not parked: LOST"},
		"never published":  {func(f *facts) { f.ledger = append(f.ledger, scene("e5")...) }, "effect by p of k/5: it was not published"},
		"parked of none":   {func(f *facts) { f.parked["x/1"] = 1 }, "x/1 is parked, and was not published"},
		"parked and done":  {func(f *facts) { f.parked["k/1"] = 2 }, "k/1 is parked 2 times, and has 1 effects"},
		"poison done":      {func(f *facts) { f.ledger = append(f.ledger, scene("e3")...) }, "k/3 fails always, and has 1 effects"},
		"left in a queue":  {func(f *facts) { f.left["q.p01"] = 3 }, "3 messages are left in q.p01"},
		"another key lost": {func(f *facts) { f.published = append(f.published, message{"l", 1}) }, "l/1 has no effect and is not parked: LOST"},
	}
	for name, test := range tests {
		f := newFacts(whole)
		test.change(&f)
		if v := audit(f); len(v.wrong) != 1 || v.wrong[0] != test.want {
			t.Errorf("%s: %q, want %q", name, v.wrong, test.want)
		}
	}
	if f := newFacts(whole); !maps.Equal(f.parked, map[string]int{"k/3": 1}) || !slices.IsSortedFunc(f.published, func(a, b message) int { return a.N - b.N }) {
		t.Error("a change has changed other facts")
	}
}
