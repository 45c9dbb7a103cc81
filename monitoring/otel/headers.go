package otel

import (
	"maps"
	"slices"

	"go.opentelemetry.io/otel/propagation"
)

// headers lets a propagator read a message's headers. Clients in other languages may write text as
// bytes.
type headers map[string]any

var _ propagation.TextMapCarrier = headers{}

func (h headers) Get(key string) string {
	switch v := h[key].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func (h headers) Set(key, value string) { h[key] = value }
func (h headers) Keys() []string        { return slices.Collect(maps.Keys(h)) }
