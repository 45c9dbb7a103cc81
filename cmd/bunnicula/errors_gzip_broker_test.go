package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"path/filepath"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestACompressedBodyIsFoundByWhatIsInItAndShownAndImportedAsItWas(t *testing.T) {
	queue := park(t, 2)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"number":7,"user":{"name":"Ann"}}`))
	_ = z.Close()
	amqptest.Publish(t, "", queue+"-error", amqp.Publishing{MessageId: "zipped", ContentEncoding: "gzip", Body: zipped.Bytes()})
	s := online(t)

	s.run("errors", "show", queue, "body.user.name=Ann").want(t, exitOK, "id           zipped\n", "(gzip), decoded 34 bytes\n", `"name": "Ann"`)
	var m struct {
		ID, Decoded string
		Body        []byte `json:"body_base64"`
	}
	r := s.run("errors", "ls", queue, "body.number=7", "--json").want(t, exitOK)
	if err := json.Unmarshal([]byte(r.out), &m); err != nil || m.ID != "zipped" || m.Decoded != `{"number":7,"user":{"name":"Ann"}}` || !bytes.Equal(m.Body, zipped.Bytes()) {
		t.Errorf("%v: %s", err, r.out)
	}

	name := filepath.Join(t.TempDir(), "export.jsonl")
	s.run("errors", "export", queue, "body.number=7", "--output", name).want(t, exitOK, "1 message of ")
	s.run("errors", "discard", queue, "body.number=7", "--delete", "--yes").want(t, exitOK)
	depths(t, queue, 2, 0)
	s.run("errors", "discard", queue, "--all", "--delete", "--yes").want(t, exitOK)
	s.run("errors", "import", queue, name).want(t, exitOK, "1 of 1 ")
	if d := amqptest.Get(t, queue+"-error"); !bytes.Equal(d.Body, zipped.Bytes()) || d.ContentEncoding != "gzip" || d.MessageId != "zipped" {
		t.Errorf("%q, %q, %d bytes", d.MessageId, d.ContentEncoding, len(d.Body))
	}
}
