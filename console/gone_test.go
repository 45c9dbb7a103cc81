package console

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestWhatAnOperationHasMovedIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []errorqueue.Message
		for i := range 10 {
			all = append(all, oneOf(fmt.Sprintf("id-%d", i), "connection refused"))
		}
		c := made(t, Config{}, all...)
		marks := marksOf(t, c, "orders-error")
		r, err := c.store.Open(t.Context(), "orders-error")
		if err != nil {
			t.Fatal(err)
		}
		for _, mark := range marks[:4] {
			r.Settled(mark)
		}
		for _, path := range []string{"/q/orders-error", "/q/orders-error/g/" + groupName("g")} {
			if page := read(t, c, path); !strings.Contains(page, "<b>6</b>") {
				t.Errorf("%s:\n%s", path, page)
			}
		}
	})
}
