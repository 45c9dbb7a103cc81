package inspect

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker returns the tests' own broker, asked as this user; "" is the usual user.
func broker(t *testing.T, cfg connection.Config) (*Broker, context.Context) {
	t.Helper()
	conn := connecttest.New(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return New(conn.Transport().Consuming()), ctx
}

func plan(t *testing.T, p topology.Plan) topology.Topology {
	t.Helper()
	topo, err := topology.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}
