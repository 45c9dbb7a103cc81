package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/inflate"
)

func zip(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// Readers of version 1 refuse fields that they do not know. So a line has new ones only where they
// say something.
func TestOnlyABodyWithAnEncodingIsInTheFileDecodedToo(t *testing.T) {
	large := string(make([]byte, inflate.PrintMost+1))
	for name, row := range map[string]struct {
		body, encoding string
		want           string // what the line has, "" for neither field
	}{
		"plain":      {`{"number":7}`, "", ""},
		"text":       {`{"number":7}`, "utf-8", ""},
		"gzip":       {string(zip([]byte(`{"number":7}`))), "gzip", `"decoded":"{\"number\":7}"`},
		"empty":      {string(zip(nil)), "gzip", `"decoded":""`},
		"no text":    {string(zip([]byte{0xff})), "gzip", `"decoded":{"bytes":"/w=="}`},
		"at 1 MiB":   {string(zip([]byte(strings.Repeat("x", inflate.PrintMost)))), "gzip", `"decoded":"xxx`},
		"above that": {string(zip([]byte(large))), "gzip", `"not_decoded":"the body inflates to more than 1048576 bytes"`},
		"not gzip":   {"x", "gzip", `"not_decoded":"the body is not gzip"`},
		"another":    {"x", "br", `"not_decoded":"the content encoding br is unknown here"`},
	} {
		var out bytes.Buffer
		w, err := NewWriter(&out, "q", "", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(&amqp.Delivery{Body: []byte(row.body), ContentEncoding: row.encoding}); err != nil {
			t.Fatal(err)
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if row.want == "" && strings.Contains(text, "decoded") || !strings.Contains(text, row.want) {
			t.Errorf("%s: %.300s", name, text)
		}
		read := 0
		_, err = Read(context.Background(), &out, 0, func(_ int, d *amqp.Delivery) error {
			read++
			if string(d.Body) != row.body || d.ContentEncoding != row.encoding {
				t.Errorf("%s: %d bytes were read, %d written", name, len(d.Body), len(row.body))
			}
			return nil
		})
		if err != nil || read != 1 {
			t.Errorf("%s: %d messages, %v", name, read, err)
		}
	}
}

func TestWhatAFileSaysOfADecodedBodyIsIgnored(t *testing.T) {
	for _, said := range []string{`"decoded":"something else"`, `"decoded":7`, `"decoded":{"a":[null]}`, `"not_decoded":{}`, `"decoded":null,"not_decoded":"x"`} {
		text := strings.Replace(good, `"text":"x"`, `"text":"x",`+said, 1)
		if !json.Valid([]byte(text)) {
			t.Fatal(text)
		}
		_, err := Read(context.Background(), strings.NewReader(file(text)), 0, func(_ int, d *amqp.Delivery) error {
			if string(d.Body) != "x" {
				t.Errorf("%s: the body is %q", said, d.Body)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", said, err)
		}
	}
}

func TestWhatAFileSaysOfADecodedBodyTakesNoMemory(t *testing.T) {
	text := file(strings.Replace(good, `"text":"x"`, `"text":"x","decoded":[`+strings.Repeat("{},", 1<<20)+`0]`, 1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := Read(context.Background(), strings.NewReader(text), 0, func(int, *amqp.Delivery) error { return nil })
	runtime.ReadMemStats(&after)
	if made := (after.TotalAlloc - before.TotalAlloc) >> 20; err != nil || made > 40 {
		t.Errorf("%d bytes took %d MiB: %v, %v", len(text), made, n, err)
	}
}
