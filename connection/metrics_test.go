package connection

import (
	"fmt"
	"reflect"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
)

func TestEachConnectionOfAnAppTellsItsMetrics(t *testing.T) {
	const sources = `group:"bunnicula.metrics"`
	var told int
	fxtest.New(t,
		Module, Named("billing", Config{}), fx.Supply(Config{}),
		fx.Invoke(fx.Annotate(func(all []func(func(string, float64, ...string))) { told = len(all) }, fx.ParamTags(sources))),
	).RequireStart().RequireStop()
	if told != 2 {
		t.Errorf("%d connections tell metrics, want the app's own and the named one", told)
	}
}

func TestMetricsTellTheStateOfWhatIsUsed(t *testing.T) {
	for name, row := range map[string]struct {
		health LinkHealth
		want   []string
	}{
		"unused":  {LinkHealth{Lost: 1}, nil},
		"blocked": {LinkHealth{Used: true, Connected: true, Blocked: "low on memory"}, []string{"connection_up 1", "connection_blocked 1", "connection_lost_total 0"}},
		"lost":    {LinkHealth{Used: true, Lost: 3}, []string{"connection_up 0", "connection_blocked 0", "connection_lost_total 3"}},
	} {
		var got []string
		linkMetrics(row.health, func(name string, value float64, labels ...string) {
			got = append(got, fmt.Sprint(name, " ", value))
			if !reflect.DeepEqual(labels, []string{"shop", "publish"}) {
				t.Errorf("%s: labels %q", name, labels)
			}
		}, "shop", "publish")
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
