package snapshot

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// rich has every field that a message may have.
func rich() errorqueue.Message {
	at := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Hour) }
	return errorqueue.Message{
		Position: 7, ID: "id", Mark: markOf("id", "\xff{}"), IDGiven: true, Origin: errorqueue.OriginConsumer, Reason: "timeout", Error: "no\x00\u202e", Type: "*x", Stack: "a\nb", Group: "g",
		Consumer: "c", Host: "h", App: "shop", AppVersion: "1.2", Target: "orders", TargetFrom: "header", Attempts: 3,
		FirstFailedAt: at(1), FailedAt: at(2), History: []errorqueue.Attempt{{At: at(1), Attempt: 1, Reason: "timeout", Error: "e", Host: "h", Took: time.Second}},
		Deaths:           []errorqueue.Death{{Queue: "orders", Reason: "rejected", Count: 2, At: at(3), Exchange: "e", RoutingKey: "k", Expiration: "10"}},
		OriginalExchange: "oe", OriginalRoutingKey: "ok", OriginalExpiration: "5", OriginalUserID: "u", Due: at(4), RedriveCount: 2, RedrivenAt: at(5), RedriveID: "r",
		Headers: map[string]any{
			"text": "x", "bytes": []byte{0, 255}, "int8": int8(-1), "int64": int64(9007199254740993), "time": at(6), "nil": nil, "bad\xff": "\xff",
			"table": amqp.Table{"a": []any{int32(1), true}}, "decimal": amqp.Decimal{Scale: 2, Value: 314}, "float": 1.5,
		},
		Timestamp: time.Unix(1793534400000, 0).UTC(), ContentType: "application/json", ContentEncoding: "gzip", CorrelationID: "ci", ReplyTo: "rt",
		MessageType: "mt", AppID: "ai", UserID: "ui", Priority: 4, Deliveries: 9, Body: []byte("\xff{}"), BodySize: 3,
	}
}

func TestAMessageFromTheSpoolIsTheMessage(t *testing.T) {
	m := rich()
	for name, change := range map[string]func(*Config){"samples": nil, "spool": func(c *Config) { c.SpoolDir = t.TempDir() }} {
		s := snapshotOf(t, []errorqueue.Message{{ID: "before"}, m}, change)
		got, err := s.Message(m.Mark)
		if at, _ := got.Headers["time"].(time.Time); err == nil {
			got.Headers["time"] = at.UTC()
		}
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: got %v\n%+v\nwant\n%+v", name, err, got, m)
		}
	}
}

func TestATimeThatJSONCannotWriteIsUnknownInTheSpool(t *testing.T) {
	m := rich()
	m.Deaths[0].At, m.RedrivenAt = m.Timestamp, m.Timestamp
	s := snapshotOf(t, []errorqueue.Message{m}, nil)
	got, err := s.Message(m.Mark)
	if err != nil || !got.Deaths[0].At.IsZero() || !got.RedrivenAt.IsZero() || m.Deaths[0].At.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAMessageWithoutAnythingIsKept(t *testing.T) {
	s := snapshotOf(t, []errorqueue.Message{{Mark: markOf("", "")}}, nil)
	if got, err := s.Message(markOf("", "")); err != nil || !got.Timestamp.IsZero() || len(got.Headers) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestABodyIsCutAt64KiB(t *testing.T) {
	body := bytes.Repeat([]byte("x"), mostBody+1)
	m := errorqueue.Message{ID: "1", Mark: markOf("1", ""), Body: body, BodySize: len(body)}
	s := snapshotOf(t, []errorqueue.Message{m}, func(c *Config) { c.SpoolDir = t.TempDir() })
	got, err := s.Message(m.Mark)
	if err != nil || len(got.Body) != mostBody || got.BodySize != mostBody+1 {
		t.Errorf("%d of %d bytes, %v", len(got.Body), got.BodySize, err)
	}
}

func TestEachMessageIsReadFromTheFileAndFromWhatWaits(t *testing.T) {
	all := failures(3000) // more than one write
	s := snapshotOf(t, all, func(c *Config) { c.SpoolDir = t.TempDir() })
	for i := range all {
		got, err := s.Message(all[i].Mark)
		if err != nil || !bytes.Equal(got.Body, all[i].Body) {
			t.Fatalf("message %d: %q, %v", i, got.Body, err)
		}
	}
}

func TestASpoolIsForItsUserAndGoneAtItsEnd(t *testing.T) {
	dir := t.TempDir()
	room := newBudget(1 << 20)
	s, err := newSpool(dir, room)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.put(&errorqueue.Message{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	info, err := s.file.Stat()
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if names, err := os.ReadDir(dir); err != nil || runtime.GOOS != "windows" && len(names) > 0 {
		t.Errorf("the file has a name: %v, %v", names, err)
	}
	s.close()
	s.close()
	if _, err := s.get(0); !errors.Is(err, ErrNotKept) {
		t.Errorf("after its end: %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 || room.used.Load() != 0 {
		t.Errorf("it has left %v, and %d bytes", names, room.used.Load())
	}
}

func TestBeyondItsSizeTheSpoolKeepsNothing(t *testing.T) {
	all := failures(100)
	s := snapshotOf(t, all, func(c *Config) { c.SpoolDir, c.SpoolSize = t.TempDir(), 20_000 })
	rows, _, err := s.Find(errorqueue.Filter{}, Page{Limit: 100})
	if err != nil || len(rows) != 100 || !rows[0].Kept || rows[99].Kept {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if _, err := s.Message(rows[99].Mark); !errors.Is(err, ErrNotKept) {
		t.Errorf("got %v, want ErrNotKept", err)
	}
}

func TestWithoutASpool20MessagesOfEachGroupAreKept(t *testing.T) {
	s := snapshotOf(t, failures(200), nil)
	kept := map[string]int{}
	rows, _, err := s.Find(errorqueue.Filter{}, Page{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Kept {
			kept[r.Group]++
		}
	}
	if want := map[string]int{"g0": 20, "g1": 20, "g2": 20, "g3": 20}; !reflect.DeepEqual(kept, want) {
		t.Errorf("kept %v", kept)
	}
}

func TestWhatIsRedactedIsNowhere(t *testing.T) {
	all := failures(8)
	s := snapshotOf(t, all, func(c *Config) {
		c.SpoolDir = t.TempDir()
		c.Redact = func(m *errorqueue.Message) { m.Error, m.Body, m.Mark = strings.ToUpper(m.Error), []byte("gone"), "" }
	})
	r, _, err := s.Row(all[0].Mark) // the mark is that of the message as it was
	if err != nil || r.Error != "FAILURE 0" || s.Groups().Groups[0].Error != "FAILURE 0" {
		t.Errorf("row %+v, %v", r, err)
	}
	if m, err := s.Message(r.Mark); err != nil || string(m.Body) != "gone" {
		t.Errorf("body %q, %v", m.Body, err)
	}
}

func TestNothingIsKeptOfAMessageOverWhichRedactPanics(t *testing.T) {
	all := failures(2)
	s := snapshotOf(t, all, func(c *Config) {
		c.Redact = func(m *errorqueue.Message) {
			if m.Position == 2 {
				panic(m.ID)
			}
		}
	})
	r, _, err := s.Row(all[1].Mark)
	if want := (Row{Position: 2, Mark: all[1].Mark, Error: "withheld: Redact panicked", Kept: true}); err != nil || r != want {
		t.Errorf("got %+v, %v", r, err)
	}
	if m, err := s.Message(all[1].Mark); err != nil || len(m.Body) > 0 || m.ID != "" {
		t.Errorf("kept %+v, %v", m, err)
	}
}
