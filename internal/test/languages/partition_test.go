package languages

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestAnotherLanguageFindsThePartitionOfEachKeyThatGoFinds(t *testing.T) {
	vectors, err := os.ReadFile("../../../docs/wire/keys/partitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	var all []struct {
		Goes string `json:"goes_to"`
	}
	if err := json.Unmarshal(vectors, &all); err != nil || len(all) < 20 {
		t.Fatalf("%d vectors: %v", len(all), err)
	}
	for _, v := range all {
		want = append(want, v.Goes)
	}
	each(t, partitions, func(t *testing.T, l language) {
		said, err := piped(t, l.partition, vectors)
		if err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		var got []string
		if err := json.Unmarshal(said, &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("the keys go to %q (%v), want %q", got, err, want)
		}
		if said, err := piped(t, l.partition, []byte(`[{"queue": "orders", "key": "", "partitions": 4}]`)); err == nil {
			t.Errorf("an empty key goes to %s", said)
		}
	})
}

func TestAnotherLanguagePublishesToThePartitionOfTheKey(t *testing.T) {
	each(t, partitions, func(t *testing.T, l language) {
		const n = 4
		queue := amqptest.Queue(t, "languages-partitions")
		for i := range n {
			name := topology.PartitionQueue(queue, i)
			amqptest.Cleanup(t, name)
			if _, err := amqptest.Channel(t).QueueDeclare(name, true, false, false, false, nil); err != nil {
				t.Fatal(err)
			}
		}
		var payloads []string
		goes := map[string][]order{}
		for _, o := range []order{{1, "someone@example.com"}, {2, "zoë@example.com"}, {3, "someone@example.com"}} {
			to, err := topology.Partition(queue, o.Email, n)
			if err != nil {
				t.Fatal(err)
			}
			payloads, goes[to] = append(payloads, body(t, o)), append(goes[to], o)
		}
		publish := append([]string{"env", "PARTITIONS=4"}, l.publish...)
		if said, code := run(t, publish, append([]string{queue}, payloads...)...); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, said)
		}
		for to, want := range goes {
			for _, sent := range want {
				var got order
				if err := json.Unmarshal(amqptest.Get(t, to).Body, &got); err != nil || got != sent {
					t.Errorf("%s has %+v, want %+v (%v)", to, got, sent, err)
				}
			}
		}
	})
}
