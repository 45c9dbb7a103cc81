package connection_test

import (
	"bytes"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The helpers that stand for both packages of connections, by the names that tests use.
var (
	connect = connecttest.Make
	within  = connecttest.Within
	soon    = connecttest.Soon
	session = connecttest.Session
	works   = connecttest.Works
)

// output is a log that may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
