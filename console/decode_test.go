package console

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func protobuf() errorqueue.Message {
	m := oneOf("id-1", "boom")
	m.Body = []byte("\x08\x96\x01\xff")
	m.BodySize = len(m.Body)
	return m
}

func TestABodyIsShownAsConfigDecodeSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{Decode: func(m *errorqueue.Message) (string, error) {
			if m.ID != "id-1" {
				return "", errors.New("no such type <b>")
			}
			return "number: 150 <script>\u202e", nil
		}}, protobuf())
		mark := markOf(t, c, "orders-error", nil)
		page := read(t, c, "/q/orders-error/m/"+mark)
		for _, want := range []string{"number: 150 &lt;script&gt;", `as=decoded" aria-current="true"`, "as=hex"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if strings.Contains(page, "\u202e") {
			t.Error("the text turns the page's direction")
		}
		if page := read(t, c, "/q/orders-error/m/"+mark+"?as=hex"); !strings.Contains(page, "08 96 01 ff") {
			t.Errorf("the bytes are not shown:\n%s", page)
		}
	})
}

func TestJSONIsDecodedOnlyIfSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{Decode: func(*errorqueue.Message) (string, error) { return "", errors.New("no type") }}, oneOf("id-1", "boom"))
		mark := markOf(t, c, "orders-error", nil)
		if page := read(t, c, "/q/orders-error/m/"+mark); strings.Contains(page, "no type") || !strings.Contains(page, "9007199254740993") {
			t.Errorf("the page is:\n%s", page)
		}
		if page := read(t, c, "/q/orders-error/m/"+mark+"?as=decoded"); !strings.Contains(page, "no type.") {
			t.Errorf("the page does not say why:\n%s", page)
		}
	})
}

func TestASlowDecodeIsGivenUpAndNotCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		release := make(chan struct{})
		c := made(t, Config{Decode: func(*errorqueue.Message) (string, error) {
			calls++
			<-release
			return "late", nil
		}}, protobuf())
		mark := markOf(t, c, "orders-error", nil)
		began := time.Now()
		if page := read(t, c, "/q/orders-error/m/"+mark); !strings.Contains(page, "Config.Decode") || strings.Contains(page, "late") {
			t.Errorf("the page is:\n%s", page)
		}
		read(t, c, "/q/orders-error/m/"+mark)
		// read asks twice.
		if took := time.Since(began); calls != 1 || took != 4*time.Second {
			t.Errorf("called %d times, and 4 pages took %v", calls, took)
		}
		close(release)
		synctest.Wait()
		if page := read(t, c, "/q/orders-error/m/"+mark); !strings.Contains(page, "late") {
			t.Errorf("it is not called again:\n%s", page)
		}
		c.Close(context.Background())
	})
}

func TestAPanicOfDecodeIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{Decode: func(*errorqueue.Message) (string, error) { panic("no descriptor") }}, protobuf())
		mark := markOf(t, c, "orders-error", nil)
		for range 2 {
			if page := read(t, c, "/q/orders-error/m/"+mark); !strings.Contains(page, "Config.Decode panicked: no descriptor") {
				t.Errorf("the page is:\n%s", page)
			}
		}
	})
}

func TestAPartOfABodyIsNotDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := protobuf()
		m.Body = append(m.Body, make([]byte, 100<<10)...)
		m.BodySize = len(m.Body)
		c := made(t, Config{SpoolDir: t.TempDir(), Decode: func(*errorqueue.Message) (string, error) { panic("called") }}, m)
		mark := markOf(t, c, "orders-error", nil)
		if page := read(t, c, "/q/orders-error/m/"+mark); !strings.Contains(page, "only a part of the body was kept") {
			t.Errorf("the page is:\n%s", page)
		}
	})
}
