package main

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// Protobuf is a Codec for generated messages. Handlers take a pointer, as in
// consumer.Message[*orderpb.Order].
type Protobuf struct{}

var _ publisher.Codec = Protobuf{}

// Encode implements publisher.Codec.
func (Protobuf) Encode(payload any) (publisher.Body, error) {
	m, ok := payload.(proto.Message)
	if !ok {
		return publisher.Body{}, fmt.Errorf("%T is not a protobuf message", payload)
	}
	body, err := proto.Marshal(m)
	return publisher.Body{Bytes: body, ContentType: "application/protobuf"}, err
}

// Decode implements publisher.Codec. payload points to a nil *T; Decode makes the T.
func (Protobuf) Decode(b publisher.Body, payload any) error {
	v := reflect.ValueOf(payload)
	if v.Kind() != reflect.Pointer || v.Type().Elem().Kind() != reflect.Pointer {
		return fmt.Errorf("%T does not point to a pointer to a protobuf message", payload)
	}
	v.Elem().Set(reflect.New(v.Type().Elem().Elem()))
	m, ok := v.Elem().Interface().(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a protobuf message", v.Elem().Interface())
	}
	return proto.Unmarshal(b.Bytes, m)
}
