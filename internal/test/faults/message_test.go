//go:build unix

package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// order is the body of a message. It tells the handler what to do.
type order struct {
	Lane string `json:"lane"`
	N    int    `json:"n"`
	// A behaviour, and after a space its argument, as in "slow 300ms".
	Do  string `json:"do"`
	Pad string `json:"pad,omitempty"`
}

// message is an order with its properties. It is derived from lane, number and behaviour alone, so
// that every receiver can check that it is unchanged.
type message struct {
	id      string
	body    []byte
	headers amqp.Table
}

func compose(lane string, n int, do string) message {
	o := order{Lane: lane, N: n, Do: do}
	if n%50 == 7 { // larger than a packet or a buffer
		o.Pad = strings.Repeat("pad ", 5_000)
	}
	body, err := json.Marshal(o)
	if err != nil {
		panic(err) // a struct of strings
	}
	headers := amqp.Table{
		"n":      int64(n),
		"text":   "Grüße",
		"nested": amqp.Table{"list": []any{int32(1), "two", true}, "empty": ""},
	}
	b, _ := behaviourOf(do)
	if b.body != nil {
		body = b.body(o)
	}
	if b.craft != nil {
		p := amqp.Publishing{Headers: headers}
		b.craft(o, &p)
		headers = theirs(p.Headers)
	}
	return message{id: fmt.Sprintf("%s-%d", lane, n), body: body, headers: headers}
}

// theirs returns the headers that neither the framework nor the broker has written.
func theirs(headers amqp.Table) amqp.Table {
	t := amqp.Table{}
	for k, v := range headers {
		if !wire.IsOurs(k) && !wire.IsBrokers(k) && !wire.IsRouting(k) {
			t[k] = v
		}
	}
	return t
}

// altered names the parts of a message that differ from what was published; "" if none does.
func (m message) altered(id string, body []byte, headers map[string]any) string {
	theirs := theirs(headers)
	switch {
	case id != m.id:
		return fmt.Sprintf("its id is %q, was %q", id, m.id)
	case !bytes.Equal(body, m.body):
		return fmt.Sprintf("its body is %.80q, was %.80q", body, m.body)
	case !reflect.DeepEqual(theirs, m.headers):
		return fmt.Sprintf("its headers are %v, were %v", theirs, m.headers)
	}
	return ""
}

// number reads a message's number from its id. It is false if the id is not one of the lane.
func number(lane, id string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(id, lane+"-")
	if !ok {
		return 0, false
	}
	_, err := fmt.Sscanf(digits, "%d", &n)
	return n, err == nil && fmt.Sprint(n) == digits
}
