package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestEveryRecordIsInOnePlaceOrTheAccountSaysWhatIsWrong(t *testing.T) {
	rightly := func(ids ...string) map[string][]Row {
		rows := map[string][]Row{}
		for _, id := range ids {
			n := strings.TrimPrefix(id, "customer-")
			rows[id] = []Row{{id, "Customer " + n, "", "1971-03-05"}}
		}
		return rows
	}
	twice := rightly("customer-1", "customer-2", "customer-3")
	twice["customer-2"] = append(twice["customer-2"], twice["customer-2"]...)
	otherwise := rightly("customer-1", "customer-2", "customer-3")
	otherwise["customer-3"][0].Birthday = "1971-05-03"
	aside := map[string]string{"customer-2": "a reason"}
	for name, test := range map[string]struct {
		published int
		transit   Transit
		parked    map[string]string
		imported  map[string][]Row
		want      Account
	}{
		"all are imported":          {3, Transit{}, nil, rightly("customer-1", "customer-2", "customer-3"), Account{Published: 3, Imported: 3}},
		"one is parked":             {3, Transit{}, aside, rightly("customer-1", "customer-3"), Account{Published: 3, Imported: 2, Parked: 1}},
		"a copy of one is parked":   {3, Transit{}, aside, rightly("customer-1", "customer-2", "customer-3"), Account{Published: 3, Imported: 3}},
		"one is to be published":    {2, Transit{}, aside, rightly("customer-1"), Account{Published: 2, Imported: 1, Parked: 1, Waiting: 1}},
		"one is in a queue":         {3, Transit{Waiting: 1}, aside, rightly("customer-1"), Account{Published: 3, Imported: 1, Parked: 1, InTransit: 1}},
		"one may be in hand":        {3, Transit{Importers: 1}, aside, rightly("customer-1"), Account{Published: 3, Imported: 1, Parked: 1, InTransit: 1}},
		"one is before the count":   {2, Transit{}, nil, rightly("customer-1", "customer-2", "customer-3"), Account{Published: 2, Imported: 3}},
		"one is lost":               {3, Transit{}, aside, rightly("customer-1"), Account{Published: 3, Imported: 1, Parked: 1, Wrong: []string{"customer-3 is lost: it was published, and is nowhere"}}},
		"one is imported twice":     {3, Transit{}, nil, twice, Account{Published: 3, Imported: 3, Wrong: []string{"customer-2 was imported 2 times"}}},
		"one has another birthday":  {3, Transit{}, nil, otherwise, Account{Published: 3, Imported: 3, Wrong: []string{"customer-3 is {customer-3 Customer 3  1971-05-03} in the new system, want {customer-3 Customer 3  1971-03-05}"}}},
		"one comes from elsewhere":  {3, Transit{}, nil, rightly("customer-1", "customer-2", "customer-3", "x"), Account{Published: 3, Imported: 3, Wrong: []string{"x was imported, and the old system does not have it"}}},
		"nothing has happened, yet": {0, Transit{}, nil, nil, Account{Waiting: 3}},
	} {
		f := Facts{
			Old:      []Customer{{1, "Customer 1", "", "1971-03-05"}, {2, "Customer 2", "", "05.03.1971"}, {3, "Customer 3", "", "1971-03-05"}},
			Position: Position{Records: test.published}, Transit: test.transit, Parked: test.parked, Imported: test.imported,
		}
		test.want.Total = 3
		got := account(f)
		if !slices.Equal(got.Wrong, test.want.Wrong) {
			t.Errorf("%s: what is wrong is %q, want %q", name, got.Wrong, test.want.Wrong)
		}
		wrong := got.Wrong
		got.Wrong, test.want.Wrong = nil, nil
		if got.String() != test.want.String() {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		complete := len(wrong) == 0 && test.want.Waiting+test.want.InTransit == 0
		got.Wrong = wrong
		var out bytes.Buffer
		got.print(&out, f)
		if got.Complete() != complete || strings.Contains(out.String(), "every record is accounted for") != complete {
			t.Errorf("%s: complete is %t, want %t, and it says:\n%s", name, got.Complete(), complete, out.String())
		}
	}
}
