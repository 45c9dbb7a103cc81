package redis

import (
	"fmt"
	"math"
	"time"

	"github.com/bunnicula-go/bunnicula/use"
)

// farthest is above all waits of a reply.
const farthest = 1000 * 24 * time.Hour

// parse makes an Answer of the script's reply: whether it is given, and the wait. The third number
// is the time of Redis's clock. Middleware checks what an Answer says; a reply that is none is an
// error here.
func parse(reply any) (s use.Answer, now time.Duration, err error) {
	list, _ := reply.([]any)
	if len(list) != 3 {
		return s, 0, nonsense(reply)
	}
	var numbers [3]int64
	for i, item := range list {
		n, ok := item.(int64)
		if !ok || n < 0 || n > math.MaxInt64/1000 {
			return s, 0, nonsense(reply)
		}
		numbers[i] = n
	}
	if numbers[0] > 1 || numbers[1] > farthest.Microseconds() {
		return s, 0, nonsense(reply)
	}
	return use.Answer{Given: numbers[0] == 1, Wait: micro(numbers[1])}, micro(numbers[2]), nil
}

func micro(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func nonsense(reply any) error {
	return fmt.Errorf("the reply to the script is nonsense: %s", cut(fmt.Sprintf("%T %v", reply, reply)))
}
