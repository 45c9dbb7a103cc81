package redis

import (
	"time"

	"github.com/bunnicula-go/bunnicula/use"
)

// spacing is what the rule needs of a Limit, in the microseconds of Redis's clock.
type spacing struct {
	every, ahead int64
}

// spaced rounds the time between two moments up, so that no Per has more than the Limit.
func spaced(l use.Limit) (spacing, error) {
	every, ahead, err := l.Spacing()
	if err != nil {
		return spacing{}, err
	}
	up := int64((every + time.Microsecond - 1) / time.Microsecond)
	return spacing{every: up, ahead: int64(ahead/every) * up}, nil
}
