package upgrade_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/order"
)

func TestAuditComplains(t *testing.T) {
	an := func(do string) order.Order { return order.Order{Lane: "standard", N: 1, Do: do} }
	began := func(do string, attempts ...int) (all []order.Entry) {
		for _, a := range attempts {
			all = append(all, order.Entry{Order: an(do), Attempt: a})
		}
		return all
	}
	acked := func(do string) []order.Entry {
		return append(began(do, 1), order.Entry{Order: an(do), Attempt: 1, Said: "Ack()"})
	}
	parked := func(do, why string, tried int64) []parcel {
		return []parcel{{Order: an(do), parked: true, header: map[string]any{reason: why, retryAttempts: tried}}}
	}
	one := func(do string) []order.Order { return []order.Order{an(do)} }
	for name, c := range map[string]struct {
		evidence
		want string // "" is no complaint
	}{
		"nothing":                  {},
		"acked":                    {evidence{confirmed: one("ack"), journal: acked("ack")}, ""},
		"lost":                     {evidence{confirmed: one("ack"), journal: began("ack", 1)}, "LOST"},
		"not confirmed":            {evidence{journal: began("ack", 1)}, ""},
		"left":                     {evidence{confirmed: one("ack"), left: []parcel{{Order: an("ack"), queue: "q"}}}, "stands in q"},
		"a duplicate that is left": {evidence{confirmed: one("ack"), journal: acked("ack"), left: []parcel{{Order: an("ack")}}}, ""},
		"twice":                    {evidence{confirmed: one("ack"), journal: append(acked("ack"), acked("ack")...)}, "1 messages ended twice"},
		"twice, as is allowed":     {evidence{confirmed: one("ack"), journal: append(acked("ack"), acked("ack")...), twice: 1}, ""},
		"altered":                  {evidence{journal: []order.Entry{{Order: an("ack"), Attempt: 1, Altered: "its id"}}}, "its id"},
		"an attempt too many":      {evidence{journal: began("ack", 5)}, "attempt 5"},
		"an innocent":              {evidence{left: parked("slow", "crashed", 0), journal: began("slow", 1, 1, 1)}, "would have succeeded"},
		"another reason":           {evidence{left: parked("error", "crashed", 0)}, `want "error"`},
		"a killer":                 {evidence{left: parked("kill", "crashed", 0), journal: began("kill", 1, 1, 1, 1, 1)}, ""},
		"a killer too early":       {evidence{left: parked("kill", "crashed", 0), journal: began("kill", 1, 1)}, "only 2 times"},
		"a killer that goes on":    {evidence{left: parked("kill", "crashed", 0), journal: append(began("kill", 1, 1, 1, 1, 1), order.Entry{Order: an("kill"), Attempt: 1, At: time.Time{}.Add(time.Minute)})}, "killed 6 times"},
		"exhausted":                {evidence{left: parked("always", "retries-exhausted", 3), journal: began("always", 1, 2, 3, 4)}, ""},
		"exhausted too early":      {evidence{left: parked("always", "retries-exhausted", 2), journal: began("always", 1, 2, 3, 4)}, "after 2 retries"},
		"an attempt is missing":    {evidence{left: parked("always", "retries-exhausted", 3), journal: began("always", 1, 2, 4)}, "attempt 3 was never made"},
		"early":                    {evidence{journal: []order.Entry{{Order: order.Order{Lane: "standard", N: 1, Do: "delayed", Due: 2000}, Attempt: 1, At: time.UnixMilli(1990)}}}, "10ms before it was due"},
		"on time":                  {evidence{journal: []order.Entry{{Order: order.Order{Lane: "standard", N: 1, Do: "delayed", Due: 2000}, Attempt: 1, At: time.UnixMilli(2000)}}}, ""},
		"forwarded and lost":       {evidence{confirmed: one("forward"), journal: acked("forward")}, "LOST"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(audit(c.evidence).complaints, "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
