package codec_test

import (
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// orders is a payload of some 60 bytes an order, which is as well compressible as JSON is.
func orders(n int) []map[string]any {
	all := make([]map[string]any, n)
	for i := range all {
		all[i] = map[string]any{"number": 700000 + i*7919%65537, "email": fmt.Sprintf("customer%d@example.com", i*104729%9973)}
	}
	return all
}

var sizes = []struct {
	name string
	n    int
}{{"3KB", 50}, {"64KB", 1100}, {"1MB", 17500}}

func BenchmarkEncode(b *testing.B) {
	for _, size := range sizes {
		plain, err := publisher.JSON.Encode(orders(size.n))
		if err != nil {
			b.Fatal(err)
		}
		zip := codec.Gzip(publisher.Raw, codec.Limits{})
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(plain.Bytes)))
			b.ReportAllocs()
			var sent publisher.Body
			for b.Loop() {
				sent, _ = zip.Encode(plain.Bytes)
			}
			b.ReportMetric(float64(len(sent.Bytes))/float64(len(plain.Bytes)), "ratio")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range sizes {
		plain, err := publisher.JSON.Encode(orders(size.n))
		if err != nil {
			b.Fatal(err)
		}
		zip := codec.Gzip(nothing{}, codec.Limits{})
		sent, err := codec.Gzip(publisher.Raw, codec.Limits{}).Encode(plain.Bytes)
		if err != nil || sent.ContentEncoding != "gzip" {
			b.Fatal(err)
		}
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(plain.Bytes)))
			b.ReportAllocs()
			for b.Loop() {
				if err := zip.Decode(sent, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// nothing decodes into nothing.
type nothing struct{}

func (nothing) Encode(any) (publisher.Body, error) { return publisher.Body{}, nil }
func (nothing) Decode(publisher.Body, any) error   { return nil }
