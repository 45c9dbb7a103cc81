package errorqueue

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestABatchListsWhatFailedAgainOnceAndWithoutBodies(t *testing.T) {
	read := func(n int) *held {
		d := &held{Delivery: amqp.Delivery{MessageId: id(n), Body: []byte("body")}}
		d.message = ordersQueue().read(&d.Delivery, 1)
		return d
	}
	var r relapses
	look := func(from, to int) {
		r.look()
		for n := from; n < to; n++ {
			r.add(read(n))
		}
	}
	look(0, 2)
	look(0, 3) // of the same batch
	if list := r.take(); fmt.Sprint(idsOf(list)) != fmt.Sprint([]string{id(0), id(1), id(2)}) || list[0].Body != nil || list[0].BodySize != 4 {
		t.Errorf("got %+v", list)
	}
	look(0, maxRelapses+10)
	if list := r.take(); len(list) != maxRelapses || list[0].ID != id(3) {
		t.Errorf("of the second batch: %d", len(list))
	}
	if list := r.take(); list == nil || len(list) != 0 {
		t.Errorf("of a batch without any: %#v", list)
	}
	r.bytes = relapseBytes
	look(5000, 5001)
	if list := r.take(); len(list) != 0 {
		t.Errorf("beyond the bytes: %+v", list)
	}
}

func idsOf(all []Message) (ids []string) {
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestAMessageWithoutItsBodySaysNothingOfIt(t *testing.T) {
	m := Message{BodySize: 9, ContentEncoding: "gzip"}
	text, err := json.Marshal(m)
	if err != nil || strings.Contains(string(text), `"body"`) || strings.Contains(string(text), "decoded") || !strings.Contains(string(text), `"body_size":9`) {
		t.Errorf("%v, %s", err, text)
	}
	if body, encoded, err := m.Decoded(); body != nil || encoded || err != nil {
		t.Errorf("%q, %v, %v", body, encoded, err)
	}
	if text, err := json.Marshal(Message{}); err != nil || !strings.Contains(string(text), `"body":""`) {
		t.Errorf("of an empty body: %v, %s", err, text)
	}
}
