package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
)

func TestAnEntryIsInTheFileAndInTheLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var out bytes.Buffer
	l, err := Open(Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	e := Entry{
		At: time.Date(2026, 11, 30, 4, 0, 0, 0, time.FixedZone("", 3600)), Who: "ada", From: "10.0.0.7", Action: "redrive",
		Queue: "orders-error", Filter: "reason=timeout", Operation: "op-1", RedriveID: "op-1", Count: 12,
	}
	if err := l.Write(e); err != nil || !l.Durable() {
		t.Fatal(err)
	}
	if err := l.Write(Entry{Who: "ada", Action: "view a body", Queue: "orders-error", Mark: "0123"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "audit.jsonl")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(string(text), "\n")
	want := `{"at":"2026-11-30T03:00:00Z","who":"ada","from":"10.0.0.7","action":"redrive","queue":"orders-error","filter":"reason=timeout","operation":"op-1","redrive_id":"op-1","count":12}`
	if first != want || !json.Valid([]byte(second)) || !strings.Contains(second, `"mark":"0123"`) {
		t.Errorf("got %s", text)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", err, info)
	}
	for _, part := range []string{`msg=audit who=ada action=redrive from=10.0.0.7 queue=orders-error filter="reason=timeout" operation=op-1 redrive_id=op-1 count=12`, `action="view a body"`} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the log has no %s:\n%s", part, &out)
		}
	}
}

func TestWithoutADirectoryEntriesAreInTheLog(t *testing.T) {
	var out bytes.Buffer
	l, err := Open(Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Write(Entry{Who: "ada", Action: "archive"}), l.Close()); err != nil || l.Durable() {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "who=ada") {
		t.Errorf("the log has %s", &out)
	}
}

func TestALongFileGetsADate(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l.rotate = 300
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	const n = 20
	for i := range n {
		if err := l.Write(Entry{At: at, Who: "ada", Action: "archive", Count: i + 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "audit*.jsonl"))
	if err != nil || len(names) < 4 {
		t.Fatalf("%v, %v", err, names)
	}
	total := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 400 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
		total += strings.Count(string(text), "\n")
	}
	if total != n || !strings.HasPrefix(filepath.Base(names[0]), "audit-20261130T030000Z-1") {
		t.Errorf("%d entries in %v", total, names)
	}
}

// full is a disk without room.
type full struct{ lines.Disk }

func (full) Write([]byte) (int, error) { return 0, errFull }
func (full) Truncate(int64) error      { return nil }

var errFull = errors.New("no space left on device")

func TestAnEntryThatCannotBeWrittenIsAnError(t *testing.T) {
	var out bytes.Buffer
	l := &Log{dir: t.TempDir(), log: slog.New(slog.NewTextHandler(&out, nil)), rotate: rotate, file: lines.New(full{}, 0)}
	if err := l.Write(Entry{Who: "ada", Action: "delete"}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "level=ERROR") || !strings.Contains(out.String(), "action=delete") {
		t.Errorf("the log has %s", &out)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: name}); err == nil {
		t.Error("a file is used as a directory")
	}
}

func TestAFileThatWasMovedIsBegunAnew(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	write := func() error { return l.Write(Entry{Who: "ada", Action: "archive"}) }
	if err := errors.Join(write(), os.Rename(file, file+".1"), write()); err != nil {
		t.Fatal(err)
	}
	for _, one := range []string{file, file + ".1"} {
		if text, err := os.ReadFile(one); err != nil || bytes.Count(text, []byte("\n")) != 1 {
			t.Errorf("%s has %q, %v", one, text, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := write(); err == nil {
		t.Error("an entry is written into a directory that is gone")
	}
	_ = l.Close()
}
