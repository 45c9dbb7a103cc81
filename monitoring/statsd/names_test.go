package statsd

import (
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

func TestConsumersThatComeAndGoDoNotFillTheMemory(t *testing.T) {
	var c catalogue
	for i := range 3 * mostNames {
		consumer := fmt.Sprint("customer", i)
		if n := c.of(monitoring.Delivery{Consumer: consumer}); n.parked != consumer+".parked" {
			t.Fatal(n.parked)
		}
		if len(c.byConsumer) > mostNames {
			t.Fatalf("it keeps the names of %d consumers", len(c.byConsumer))
		}
	}
	kept := c.of(monitoring.Delivery{Consumer: "customer"})
	if c.of(monitoring.Delivery{Consumer: "customer"}) != kept {
		t.Error("the names of one consumer were built twice")
	}
}
