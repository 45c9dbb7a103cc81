package consoleload

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// table is what was measured, with the bounds.
type table struct {
	t    *testing.T
	rows []row
}

type row struct{ what, measured, bound, verdict string }

// add adds a row, and fails the test if the bound is missed.
func (b *table) add(met bool, what, measured, bound string) {
	b.t.Helper()
	verdict := "met"
	switch {
	case bound == "":
		verdict = ""
	case !met:
		verdict = "MISSED"
		b.t.Errorf("%s: %s, want %s", what, measured, bound)
	}
	b.rows = append(b.rows, row{what, measured, bound, verdict})
}

// note adds a row without a bound.
func (b *table) note(what, measured string) { b.add(true, what, measured, "") }

// times adds durations, of which the longest is bounded.
func (b *table) times(what string, all []time.Duration, bound time.Duration) {
	b.t.Helper()
	if len(all) == 0 {
		b.add(false, what, "nothing", bound.String())
		return
	}
	measured := fmt.Sprintf("%s, at most %s, of %d", short(median(all)), short(slices.Max(all)), len(all))
	b.add(within(slices.Max(all), bound), what, measured, "at most "+short(slacked(bound)))
}

// within says whether a duration is within a bound, with the slack. Under the race detector each
// is.
func within(d, bound time.Duration) bool { return amqptest.Raced() || d <= slacked(bound) }

func slacked(d time.Duration) time.Duration { return time.Duration(float64(d) * *slack) }

// bytes adds an amount of memory.
func (b *table) bytes(what string, n, bound int64) {
	b.t.Helper()
	b.add(amqptest.Raced() || n <= bound, what, mib(n), "at most "+mib(bound))
}

// count adds a number that is exact.
func (b *table) count(what string, n, want int) {
	b.t.Helper()
	b.add(n == want, what, fmt.Sprint(n), fmt.Sprint(want))
}

// most adds a number that has a bound.
func (b *table) most(what string, n, most int) {
	b.t.Helper()
	b.add(n <= most, what, fmt.Sprint(n), fmt.Sprintf("at most %d", most))
}

func (b *table) print() {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%d messages, RabbitMQ %s, slack %g\n", *messages, amqptest.Version(b.t), *slack)
	for _, r := range b.rows {
		fmt.Fprintf(&out, "| %-66s | %-38s | %-18s | %-6s |\n", r.what, r.measured, r.bound, r.verdict)
	}
	b.t.Log(out.String())
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func short(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

func median[T float64 | time.Duration](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(math.Floor(float64(len(sorted)-1)/2))]
}
