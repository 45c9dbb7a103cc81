package codec_test

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// XML is a codec of one's own.
type XML struct{}

func (XML) Encode(payload any) (publisher.Body, error) {
	body, err := xml.Marshal(payload)
	return publisher.Body{Bytes: body, ContentType: "application/xml"}, err
}

func (XML) Decode(b publisher.Body, payload any) error { return xml.Unmarshal(b.Bytes, payload) }

// ContentTypes is for ByContentType.
func (XML) ContentTypes() []string { return []string{"application/xml", "text/xml"} }

type Order struct {
	Number int
	Notes  string
}

func ExampleGzip() {
	c := codec.Gzip(publisher.JSON, codec.Limits{})
	for _, notes := range []string{"short", strings.Repeat("long ", 1000)} {
		sent, _ := c.Encode(Order{Number: 1, Notes: notes})
		var got Order
		err := c.Decode(sent, &got)
		fmt.Printf("%q, %q: %t, %v\n", sent.ContentType, sent.ContentEncoding, got.Notes == notes, err)
	}
	// Output:
	// "application/json", "": true, <nil>
	// "application/json", "gzip": true, <nil>
}

func ExampleByContentType() {
	c := codec.ByContentType(publisher.JSON, XML{})
	for _, sent := range []publisher.Body{
		{ContentType: "application/json", Bytes: []byte(`{"Number": 1}`)},
		{ContentType: "text/xml; charset=utf-8", Bytes: []byte(`<Order><Number>2</Number></Order>`)},
		{ContentType: "text/csv", Bytes: []byte(`3`)},
	} {
		var order Order
		err := c.Decode(sent, &order)
		fmt.Println(order.Number, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 0 codec.ByContentType: content type text/csv is not decoded here, only application/json, application/xml, text/xml
}
