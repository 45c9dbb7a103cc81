package turn

import (
	"encoding/json"
	"strings"
)

// Document is the payload of messages: a text that a customer might write.
type Document struct {
	ID    string `json:"id"`
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

const sentence = "I still have not received my new card, although I ordered it over a week ago. "

// Body returns a document of so many bytes as JSON, or the smallest document.
func Body(size int) []byte {
	d := Document{ID: "c-0001", Topic: "card_arrival"}
	empty, err := json.Marshal(d)
	if err != nil {
		panic(err) // three strings always encode
	}
	if room := size - len(empty); room > 0 {
		d.Text = strings.Repeat(sentence, room/len(sentence)+1)[:room]
	}
	body, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return body
}
