package console

import (
	"net/netip"
	"sync"
	"time"
)

const (
	wrongMost  = 10               // passwords of an address that are looked at
	wrongEvery = 10 * time.Second // until it has one more
	wrongKnown = 4096             // addresses that are remembered
)

// throttle bounds how many wrong passwords an address may send. It takes a try when a password
// comes, and gives it back when that is right, so that many at once are not more. The zero throttle
// is ready.
type throttle struct {
	mu    sync.Mutex
	tries map[netip.Prefix]tries
}

// tries are those that an address has left, as a number at a time.
type tries struct {
	left float64
	at   time.Time
}

// now returns the tries as they are at another time.
func (t tries) now(now time.Time) tries {
	gained := max(0, now.Sub(t.at).Seconds()) / wrongEvery.Seconds()
	return tries{left: min(wrongMost, t.left+gained), at: now}
}

// network returns what counts as one address: who has one of IPv6 has its whole /64.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for what is no address
	return p
}

// take takes a try. If there is none, it returns how long it takes until there is one.
func (t *throttle) take(from netip.Addr, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := network(from)
	left, ok := t.tries[key]
	if left = left.now(now); !ok {
		left.left = wrongMost
	}
	if left.left < 1 {
		return time.Duration((1 - left.left) * float64(wrongEvery))
	}
	if !ok {
		t.makeRoom(now)
	}
	left.left--
	t.tries[key] = left
	return 0
}

// giveBack gives a try back.
func (t *throttle) giveBack(from netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := network(from)
	left, ok := t.tries[key]
	if left.left++; ok && left.left >= wrongMost {
		delete(t.tries, key)
	} else if ok {
		t.tries[key] = left
	}
}

// makeRoom forgets addresses that have all their tries, and the one that was wrong the longest time
// ago if that is not enough.
func (t *throttle) makeRoom(now time.Time) {
	if t.tries == nil {
		t.tries = map[netip.Prefix]tries{}
	}
	if len(t.tries) < wrongKnown {
		return
	}
	var oldest netip.Prefix
	var at time.Time
	for key, left := range t.tries {
		if left.now(now).left >= wrongMost {
			delete(t.tries, key)
		} else if at.IsZero() || left.at.Before(at) {
			oldest, at = key, left.at
		}
	}
	if len(t.tries) >= wrongKnown {
		delete(t.tries, oldest)
	}
}
