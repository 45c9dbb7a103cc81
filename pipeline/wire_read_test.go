package pipeline

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
)

// TestWireOfAPipeline makes the files.
func TestWirePipelineIsRead(t *testing.T) {
	paths := map[string]string{"item": "1", "output": "1.1", "output-with-key": "1." + jobtree.Path{}.Keyed(jobtree.HashOf("IBAN-7")).String(), "output-of-continuation": "1~1.1"}
	wirefixtures.EachOfPipeline(t, func(t *testing.T, name string, m wirefixtures.Message) {
		if want, ok := paths[name]; ok {
			n, err := nodeOf(&consumer.Delivery{Headers: m.Headers})
			if err != nil || n.job != "june" || n.path.String() != want {
				t.Errorf("%+v, %v", n, err)
			}
			return
		}
		body := []byte(*m.Body)
		known := json.NewDecoder(bytes.NewReader(body))
		known.DisallowUnknownFields()
		var strict record
		if err := known.Decode(&strict); err != nil {
			t.Fatal(err)
		}
		r, err := parseRecord(body)
		if err != nil || string(r.Kind) != m.Properties.Type {
			t.Fatalf("%+v, %v", r, err)
		}
		if again, err := r.body(); err != nil || !bytes.Equal(again, body) {
			t.Errorf("it would be written as\n%s, %v\nit is\n%s", again, err, body)
		}
		for _, done := range r.Done {
			if err := jobtree.New().Add(done); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestARecordThatCannotBeMeantIsLeftOut(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `{"version":2,"kind":"done"}`, `{"version":1,"kind":"end"}`, `{"version":1,"kind":"begin"}`, `{"version":1,"kind":"begin","job":"a b"}`,
		`{"version":1,"kind":"told","job":"a","at":"yesterday"}`, `{"version":1,"kind":"done","done":{}}`,
	} {
		if r, err := parseRecord([]byte(body)); err == nil {
			t.Errorf("%s is read as %+v", body, r)
		}
	}
}

// The ids are a contract: programs in other languages make the same. These were made with Python:
// uuid.uuid5(namespace, "june\x004312.17").
func TestIDsOfOutputs(t *testing.T) {
	path, _ := jobtree.Parse("4312")
	n := &node{job: "june", path: path, id: "m"}
	stranger := &node{path: path, id: "m"}
	for got, want := range map[string]string{
		outputID(n, "4312.17"):        "c6a7a871-3d57-554c-becf-d70f84dc74a5",
		keyedID(n, "IBAN-7"):          "b908aa4f-91d2-592f-aba7-7bc72cc8e9ac",
		outputID(stranger, "4312.17"): "5e294ebc-e3af-5d05-8dd0-87ac7a4f24c4",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
