package decide

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// past is one entry of the header bunnicula-history.
type past struct {
	At           string `json:"at"`
	Attempt      int    `json:"attempt"`
	Reason       string `json:"reason"`
	Error        string `json:"error,omitempty"`
	Host         string `json:"host"`
	Milliseconds int64  `json:"ms"`
}

// Limits of the header bunnicula-history.
const (
	maxHistory = 10  // entries
	maxPast    = 200 // bytes of a text in one
)

// pasts are the entries of the header, oldest first.
type pasts []past

// historyOf reads the header. One that cannot be read counts as empty.
func historyOf(header any) pasts {
	s, ok := header.(string)
	if !ok || len(s) > wire.MaxOurs {
		return nil
	}
	var all pasts
	if json.Unmarshal([]byte(s), &all) != nil {
		return nil
	}
	return all
}

// began returns when the message failed for the first time, now if it did not fail before.
func (all pasts) began(now string) string {
	if len(all) == 0 || foreign.ParseTime(all[0].At).IsZero() {
		return now
	}
	return all[0].At
}

// with returns the header with another entry. It has the last ten.
func (all pasts) with(now past) string {
	all = append(all, now)
	all = all[max(0, len(all)-maxHistory):]
	for i := range all { // any publisher may have written the older ones
		all[i].Error = foreign.Cut(all[i].Error, maxPast)
		all[i].Host = foreign.Cut(all[i].Host, maxPast)
		all[i].Reason = foreign.Cut(all[i].Reason, maxPast)
		all[i].At = foreign.Cut(all[i].At, 40)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "[]" // never: strings and numbers can be marshalled
	}
	return string(text)
}

// fingerprint returns the same text for failures of the same consumer, error type and message.
// Numbers, ids and quoted names in the message do not count.
func fingerprint(consumer string, err error, why monitoring.Reason) string {
	message := normalise(cmp.Or(foreign.Text(err, maxError), string(why)))
	kind := make([]byte, 0, 256)
	for i, part := range [...]string{consumer, foreign.TypeName(err), message} {
		if i > 0 {
			kind = append(kind, 0)
		}
		kind = append(kind, part...)
	}
	sum := sha256.Sum256(kind)
	var text [16]byte
	hex.Encode(text[:], sum[:8])
	return string(text[:])
}
