package link

import (
	"encoding/binary"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// When a broker dead-letters a message, it adds a record of that to the headers: where, when and
// why. Each message that comes back from a retry queue has one. A consumer does not read it, and
// the library needs a hundred allocations to read it. So a link on which messages are consumed
// removes it from what the library gets.

// span is a part of a payload.
type span struct{ from, to int }

// maxDeaths is how many spans of headers are removed from one frame. A broker's are side by side.
const maxDeaths = 8

// deathsOf appends to deaths where a content header's payload has headers that tell of deaths, for
// as many spans as it has room. It does not look behind a header whose end is not known. It does
// not allocate.
func deathsOf(payload []byte, deaths []span) []span {
	at, end, ok := table(payload)
	if !ok {
		return deaths
	}
	for from := at + 4; from < end; {
		value, ok := skipName(payload[from:end])
		if !ok {
			return deaths
		}
		rest, _, ok := skipValue(value, 0)
		if !ok {
			return deaths
		}
		to, n := end-len(rest), len(deaths)
		switch {
		case !wire.IsDeath(payload[from+1 : end-len(value)]):
		case n > 0 && deaths[n-1].to == from:
			deaths[n-1].to = to
		case n == cap(deaths):
			return deaths
		default:
			deaths = append(deaths, span{from, to})
		}
		from = to
	}
	return deaths
}

// withoutDeaths removes the headers that tell of deaths from a frame with a content header. It
// moves what is before each of them towards the frame's end, so that the frame begins later, and
// returns how much.
func withoutDeaths(frame []byte) (later int) {
	payload := frame[frameHead:]
	var room [maxDeaths]span
	deaths := deathsOf(payload, room[:0])
	if len(deaths) == 0 {
		return 0
	}
	at, end, _ := table(payload)
	entries := end - at - 4
	for _, d := range deaths {
		size := d.to - d.from
		copy(frame[later+size:], frame[later:frameHead+d.from])
		later += size
	}
	binary.BigEndian.PutUint32(frame[later+frameHead-4:], uint32(len(payload)-later))
	binary.BigEndian.PutUint32(frame[later+frameHead+at:], uint32(entries-later))
	return later
}
