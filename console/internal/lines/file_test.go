package lines

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenRemovesAPartOfALine(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, test := range []struct{ text, left string }{
		{"", ""},
		{"1\n2\n", "1\n2\n"},
		{"1\n2", "1\n"},
		{"1", ""},
		{"1\n" + long, "1\n"},
		{long + "\n" + long, long + "\n"},
		{long, ""},
	} {
		name := filepath.Join(t.TempDir(), "lines")
		if err := os.WriteFile(name, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Append(3, true); err != nil {
			t.Fatal(err)
		}
		if want := int64(len(test.left) + 2); f.Size() != want {
			t.Errorf("%d bytes, want %d", f.Size(), want)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != test.left+"3\n" {
			t.Errorf("%v: %.20q of %d bytes", err, got, len(got))
		}
	}
}

func TestALineThatCannotBeWrittenIsNotThere(t *testing.T) {
	d := &disk{}
	f := New(d, 0)
	if err := f.Append("a", true); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"write", "sync"} {
		d.broken = broken
		if err := f.Append("b", true); !errors.Is(err, errDisk) || d.text != "\"a\"\n" {
			t.Errorf("%s: %v, %q", broken, err, d.text)
		}
	}
	d.broken = "write truncate"
	if err := f.Append("b", true); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	d.broken = "" // a line now would stand behind a part of another
	if err := f.Append("b", true); !errors.Is(err, errDisk) || d.text != "\"a\"\n\"b" {
		t.Errorf("%v, %q", err, d.text)
	}
}

func TestANilFileWritesNothing(t *testing.T) {
	var f *File
	if err := errors.Join(f.Append("a", true), f.Close()); err != nil {
		t.Error(err)
	}
}

var errDisk = errors.New("no space left on device")

// disk is a disk in memory.
type disk struct {
	text   string
	broken string // what fails
}

func (d *disk) Write(b []byte) (int, error) {
	if strings.Contains(d.broken, "write") {
		d.text += string(b[:len(b)/2])
		return len(b) / 2, errDisk
	}
	d.text += string(b)
	return len(b), nil
}

func (d *disk) Sync() error { return d.fails("sync") }

func (d *disk) Truncate(size int64) error {
	err := d.fails("truncate")
	if err == nil {
		d.text = d.text[:size]
	}
	return err
}

func (d *disk) fails(what string) error {
	if strings.Contains(d.broken, what) {
		return errDisk
	}
	return nil
}

func (d *disk) Close() error { return nil }

func TestALineIsNotWrittenWhereNobodyFindsIt(t *testing.T) {
	for name, harm := range map[string]func(string) error{
		"deleted": os.Remove,
		"moved":   func(name string) error { return os.Rename(name, name+".1") },
		"replaced": func(name string) error {
			return errors.Join(os.Rename(name, name+".1"), os.WriteFile(name, nil, 0o600))
		},
	} {
		file := filepath.Join(t.TempDir(), "lines")
		f, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Append(1, true); err != nil {
			t.Fatal(err)
		}
		if err := harm(file); err != nil {
			t.Fatal(err)
		}
		if err := f.Append(2, true); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
		_ = f.Close()
	}
}
