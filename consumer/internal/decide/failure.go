package decide

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

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

// history adds an entry to the header and keeps the last ten. A header that cannot be read is
// replaced.
func history(before any, now past) string {
	var all []past
	if s, ok := before.(string); ok && len(s) <= wire.MaxOurs {
		if json.Unmarshal([]byte(s), &all) != nil {
			all = nil
		}
	}
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
	sum := sha256.Sum256([]byte(strings.Join([]string{consumer, foreign.TypeName(err), message}, "\x00")))
	return hex.EncodeToString(sum[:8])
}
