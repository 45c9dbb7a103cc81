package codecs

import (
	"encoding/json"

	"github.com/bytedance/sonic"
	goccy "github.com/goccy/go-json"
)

// codec decodes JSON with one library.
type codec struct {
	name   string
	decode func(data []byte, to any) error
}

// codecs are the measured ones; jsonv2.go adds one. The first one defines the correct result.
var codecs = []codec{
	{"encoding-json", json.Unmarshal},
	{"goccy", goccy.Unmarshal},
	{"sonic", sonic.Unmarshal},
	// This configuration does all that encoding/json does: it also checks and copies strings.
	{"sonic-std", sonic.ConfigStd.Unmarshal},
}
