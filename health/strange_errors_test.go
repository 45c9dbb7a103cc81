package health

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
)

func TestAnErrorOfAnyKindIsTextInTheReport(t *testing.T) {
	for kind, err := range foreigntest.Errors() {
		link := connection.LinkHealth{Used: true, Err: err}
		blocked := connection.LinkHealth{Used: true, Connected: true, Blocked: "low on disk\x1b[2J"}
		parts := []Part{ofConsumer(consumer.Health{Name: "orders", Err: err}), ofConnection("shop", connection.Health{Publishing: link, Consuming: blocked})}
		for _, p := range parts {
			if p.OK || len(p.Error) > 3<<10 || p.Error == "" && kind != "no text" {
				t.Errorf("%s: %s: ok %t, %d bytes", kind, p.Kind, p.OK, len(p.Error))
			}
			if strings.Contains(p.Warning, "\x1b") {
				t.Errorf("the warning is %q", p.Warning)
			}
		}
		for _, v := range []any{parts, consumer.Health{Err: err}, link} {
			if text, err := json.Marshal(v); err != nil || len(text) > 20<<10 {
				t.Errorf("%s: %d bytes of JSON, %v", kind, len(text), err)
			}
		}
	}
}
