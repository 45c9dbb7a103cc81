package errorqueue

import (
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/internal/inflate"
)

// Decoded returns the body as the filters see it: inflated if the content encoding is gzip, or gzip
// in gzip, to 16 MiB at most. encoded says whether there is a content encoding that stands for
// other bytes. If it cannot be undone, the error says why, and the body is returned as it is: it is
// not gzip, is larger, or the encoding is another one. In the sample of a Group it is cut to its
// first 4 KiB, too, and there is none in Batch.Again. The body is inflated anew at each call.
func (m *Message) Decoded() (body []byte, encoded bool, err error) {
	if m.bodiless() {
		return nil, false, nil
	}
	if !m.sample {
		return inflate.View(m.Body, m.ContentEncoding, inflate.ViewMost)
	}
	body, encoded, err = inflate.View(m.Body, m.ContentEncoding, sampleBody)
	if encoded && err != nil {
		if first := inflate.Prefix(m.Body, m.ContentEncoding, sampleBody); len(first) > 0 {
			return first, true, nil
		}
	}
	return body, encoded, err
}

// bodiless says that the body was left out, as in Batch.Again.
func (m *Message) bodiless() bool { return m.Body == nil && m.BodySize > 0 }

// view is the decoded body in JSON, of inflate.PrintMost bytes at most: 100 messages of 16 KiB
// could make 10 GB of JSON otherwise. It is empty if the body has no content encoding.
type view struct {
	Decoded    *string `json:"decoded,omitempty"`
	Bytes      []byte  `json:"decoded_base64,omitempty"`
	NotDecoded string  `json:"not_decoded,omitempty"` // why
}

func (m *Message) view() view {
	decode := m.Decoded
	if !m.sample && !m.bodiless() {
		decode = func() ([]byte, bool, error) { return inflate.View(m.Body, m.ContentEncoding, inflate.PrintMost) }
	}
	body, encoded, err := decode()
	switch {
	case !encoded:
		return view{}
	case err != nil:
		return view{NotDecoded: err.Error()}
	case !utf8.Valid(body):
		return view{Bytes: body}
	}
	text := string(body)
	return view{Decoded: &text}
}
