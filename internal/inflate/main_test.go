package inflate_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slowly undoes gzip without bounds and without what the package reuses.
func slowly(body []byte, layers int) ([]byte, error) {
	for range layers {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(io.LimitReader(z, 10<<20)); err != nil {
			return nil, err
		}
	}
	return body, nil
}
