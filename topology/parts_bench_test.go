package topology_test

import (
	"testing"

	"github.com/bunnicula-go/bunnicula/topology"
)

func BenchmarkNew(b *testing.B) {
	for _, name := range []string{"standard", "full", "bunnicula"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := topology.New(goldenPlans[name]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
