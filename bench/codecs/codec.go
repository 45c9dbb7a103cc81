package codecs

import (
	"encoding/json"

	"github.com/bytedance/sonic"
	goccy "github.com/goccy/go-json"
)

// codec decodes JSON as one library does.
type codec struct {
	name   string
	decode func(data []byte, to any) error
}

// codecs are all that are measured; jsonv2.go adds one. The first says what is right.
var codecs = []codec{
	{"encoding-json", json.Unmarshal},
	{"goccy", goccy.Unmarshal},
	{"sonic", sonic.Unmarshal},
	{"sonic-std", sonic.ConfigStd.Unmarshal}, // as encoding/json in everything: it also checks and copies strings
}
