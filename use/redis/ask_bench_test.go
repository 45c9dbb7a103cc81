package redis

import (
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/use"
)

// What one message asks of a Redis on this machine: one that gets a moment, one that gets a place,
// and one that has a place among ten thousand.
func BenchmarkAsk(b *testing.B) {
	server := redistest.Start(b)
	bench := func(name string, limit use.Limit, before int) {
		b.Run(name, func(b *testing.B) {
			server.Flush()
			l, err := New(server.Client(b), Config{Limit: limit})
			if err != nil {
				b.Fatal(err)
			}
			a := use.Ask{Key: "acme", Near: time.Second}
			n := 0
			one := func() use.Answer {
				n++
				a.ID = fmt.Sprintf("%08d-0000-4000-8000-000000000000", n)
				s, err := l.Moment(b.Context(), a)
				if err != nil {
					b.Fatal(err)
				}
				return s
			}
			for range before {
				one()
			}
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
		})
	}
	bench("given", use.Limit{Events: 1_000_000}, 1)
	bench("placed", use.Limit{Events: 1}, 1)
	bench("placed-among-10000", use.Limit{Events: 1}, 10_000)
}
