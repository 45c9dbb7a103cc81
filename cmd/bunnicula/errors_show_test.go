package main

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestWhenAParkedMessageWasDueIsShown(t *testing.T) {
	var text strings.Builder
	writeMessage(&text, &errorqueue.Message{Due: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)})
	if !strings.Contains(text.String(), "\ndue          2026-12-01 08:00:00Z\n") {
		t.Errorf("nothing says when it was due:\n%s", &text)
	}
	text.Reset()
	if writeMessage(&text, &errorqueue.Message{}); strings.Contains(text.String(), "due") {
		t.Errorf("it had no delay:\n%s", &text)
	}
}

func TestABodyIsShownWithoutItsEncodingOrAsItCameWithAWordAboutIt(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"number":7}`))
	_ = z.Close()
	for name, row := range map[string]struct {
		body, encoding, want string
	}{
		"plain":    {`{"number":7}`, "", "\nbody, 12 bytes\n  {\n    \"number\": 7\n  }\n"},
		"gzip":     {zipped.String(), "gzip", "\nbody, 36 bytes (gzip), decoded 12 bytes\n  {\n    \"number\": 7\n  }\n"},
		"not gzip": {`{"number":7}`, "gzip", "\nbody, 12 bytes, as it came: the body is not gzip\n  {\n    \"number\": 7\n  }\n"},
		"unknown":  {"\x1b", "b\x1br", "\nbody, 1 byte, as it came: the content encoding \"b\\x1br\" is unknown here\n  ·\n"},
		"empty":    {"", "gzip", "\nbody, 0 bytes, as it came: the body is empty, and gzip of nothing is not\n  (empty)\n"},
	} {
		var text strings.Builder
		writeMessage(&text, &errorqueue.Message{Body: []byte(row.body), BodySize: len(row.body), ContentEncoding: row.encoding})
		if !strings.HasSuffix(text.String(), row.want) {
			t.Errorf("%s:\n%s", name, &text)
		}
	}
}
