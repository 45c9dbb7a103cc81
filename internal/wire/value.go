package wire

import (
	"math"
	"strconv"
)

// Int reads a count that any client may have written: an AMQP integer of any size, a float or text.
// Everything else is 0.
func Int(v any) int {
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case int32:
		n = int64(v)
	case int16:
		n = int64(v)
	case int8:
		n = int64(v)
	case uint8:
		n = int64(v)
	case uint16:
		n = int64(v)
	case uint32:
		n = int64(v)
	case int:
		n = int64(v)
	case float32:
		return Int(float64(v))
	case float64:
		if v >= 0 { // false for NaN
			n = int64(min(v, math.MaxInt32))
		}
	case string:
		n, _ = strconv.ParseInt(v, 10, 64) // 0 if it is no number, the maximum if it is too large
	case []byte:
		return Int(string(v))
	}
	return int(min(max(n, 0), math.MaxInt32))
}
