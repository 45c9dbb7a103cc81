package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestQueuesStandBelowTheMainQueueOfTheirConsumer(t *testing.T) {
	var all []topology.Topology
	names := []string{"mail", "orders", "refunds"}
	for _, name := range names {
		top, err := topology.New(topology.Plan{
			Queue: name, Delays: []time.Duration{time.Second, time.Minute, time.Hour}, Bindings: []topology.Bind{{Exchange: "shop", Keys: []string{name + ".*"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, top)
	}
	p := pictureOf(inspect.GraphOf(all...), nil)
	from, to := map[string]int{}, map[string]int{}
	taken := map[[2]int]string{}
	for _, b := range p.Boxes {
		if other := taken[[2]int{b.X, b.Y}]; other != "" {
			t.Errorf("%s stands where %s stands", b.Label, other)
		}
		taken[[2]int{b.X, b.Y}] = b.Label
		if b.X+boxWidth > p.Width || b.Y+boxHeight > p.Height {
			t.Errorf("%s stands outside, at %d %d of %d %d", b.Label, b.X, b.Y, p.Width, p.Height)
		}
		name, _, _ := strings.Cut(b.Label, "-")
		if first, is := from[name]; !is || b.X < first {
			from[name] = b.X
		}
		to[name] = max(to[name], b.X+boxWidth)
	}
	for i, name := range names[1:] {
		if from[name] < to[names[i]] {
			t.Errorf("the queues of %s begin at %d, and those of %s end at %d", name, from[name], names[i], to[names[i]])
		}
	}
}

func TestTheOverviewShowsRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		in, none := 41.96, 0.0
		a := &answer{console: made(t, Config{}), r: httptest.NewRequest(http.MethodGet, "/", nil)}
		p := page{view: a.view(), Data: overviewData{Rows: []consumerRow{{Name: "orders", In: &in, Out: &none}}}}
		if err := pages["overview"].ExecuteTemplate(&out, "main", p); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`data-label="In/s">42.0</td>`, `data-label="Out/s">0.0</td>`} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the page lacks %s:\n%s", want, out.String())
			}
		}
	})
}
