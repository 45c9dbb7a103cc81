package console

import (
	"fmt"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

const mostKeys = 20

// indexOf returns the values of IndexKeys, nil without any.
func indexOf(keys []string) (*errorqueue.Values, error) {
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // nil is none
	}
	if len(keys) > mostKeys {
		return nil, fmt.Errorf("IndexKeys are %d, want %d at most", len(keys), mostKeys)
	}
	index, err := errorqueue.NewValues(keys...)
	if err != nil {
		return nil, fmt.Errorf("IndexKeys: %w", err)
	}
	return index, nil
}

// Keys are the terms of headers and bodies that filters may have.
func (v view) Keys() []string { return v.keys }
