package console

import (
	"strings"
	"testing"
)

func TestAPageIsFoundWhetherOrNotTheBaseWasRemoved(t *testing.T) {
	for _, test := range []struct{ path, base, want string }{
		{"/", "/", ""},
		{"", "/", ""},
		{"/topology", "/", "topology"},
		{"/topology/", "/", "topology"},
		{"/ops/", "/ops/", ""},
		{"/ops/topology", "/ops/", "topology"},
		{"/topology", "/ops/", "topology"}, // removed
		{"/ops/ops", "/ops/", "ops"},
		{"/ops", "/ops/", "ops"}, // removed
		{"/ops/ops/1", "/ops/", "ops|1"},
		{"/ops/1", "/ops/", "ops|1"}, // removed
		{"/ops/1/events", "/ops/", "ops|1|events"},
		{"/ops/queues", "/ops/queues/", ""},
		{"/ops/queues/", "/ops/queues/", ""},
		{"/ops/queues/ops/1", "/ops/queues/", "ops|1"},
		{"/q/q/orders-error", "/q/", "q|orders-error"},
		{"/q/orders-error", "/q/", "q|orders-error"}, // removed
		{"/q/a%2Fb-error", "/", "q|a/b-error"},
		{"/elsewhere/x", "/ops/", "elsewhere|x"},
		{"/ops/elsewhere", "/ops/", "ops|elsewhere"}, // which is not there either
	} {
		if got := strings.Join(locate(routes(), test.path, test.base, "/"), "|"); got != test.want {
			t.Errorf("%s below %s: %q, want %q", test.path, test.base, got, test.want)
		}
	}
}
