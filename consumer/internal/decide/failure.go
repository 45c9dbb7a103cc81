package decide

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

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

// history adds an entry and keeps the last ten. What cannot be read is begun anew.
func history(before any, now past) string {
	var all []past
	if s, ok := before.(string); ok && len(s) <= wire.MaxOurs {
		if json.Unmarshal([]byte(s), &all) != nil {
			all = nil
		}
	}
	all = append(all, now)
	all = all[max(0, len(all)-maxHistory):]
	for i := range all { // anybody may have written an older one
		all[i].Error = wire.Cut(all[i].Error, maxPast)
		all[i].Host = wire.Cut(all[i].Host, maxPast)
		all[i].Reason = wire.Cut(all[i].Reason, maxPast)
		all[i].At = wire.Cut(all[i].At, 40)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "[]" // cannot be: strings and numbers
	}
	return string(text)
}

// ErrorText is an error's text. The Error of a typed nil may panic; then the text says so.
func ErrorText(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("%T: its Error method panicked", err)
		}
	}()
	return err.Error()
}

// errorType names the innermost error of a chain whose type says more than those of errors.New and
// fmt.Errorf do. A chain ends at an error whose Unwrap panics, as a typed nil's may.
func errorType(err error) (name string) {
	if err == nil {
		return ""
	}
	defer func() {
		_ = recover()
		name = cmp.Or(name, "error")
	}()
	for e, depth := err, 0; e != nil && depth < 100; depth++ { // no chain is that long, but a circle is
		t := reflect.TypeOf(e).String()
		switch t {
		case "*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors", "*errors.joinError", "consumer.permanentError", "consumer.afterError":
		default:
			name = t
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			if all := joined.Unwrap(); len(all) > 0 {
				e = all[len(all)-1]
				continue
			}
		}
		e = errors.Unwrap(e)
	}
	return name
}

// fingerprint is equal for failures of the same consumer, type of error and message. What varies in
// messages of one kind, such as numbers and ids, does not count.
func fingerprint(consumer string, err error, why monitoring.Reason) string {
	message := ErrorText(err)
	if message == "" {
		message = string(why)
	}
	message = normalise(wire.Cut(message, maxError))
	sum := sha256.Sum256([]byte(strings.Join([]string{consumer, errorType(err), message}, "\x00")))
	return hex.EncodeToString(sum[:8])
}
