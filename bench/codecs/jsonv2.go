//go:build goexperiment.jsonv2

package codecs

import "encoding/json/v2"

func init() {
	codecs = append(codecs, codec{"encoding-json-v2", func(data []byte, to any) error { return json.Unmarshal(data, to) }})
}
