package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
)

// ticketLife is how long a form can be sent after it was shown.
const ticketLife = 10 * time.Minute

// action is what a ticket allows.
type action string

// ticket allows one user to do one thing once. It is made with the form that does it, and comes
// back in a hidden field.
type ticket struct {
	ID      string          `json:"i"`
	User    string          `json:"u"`
	Action  action          `json:"a"`
	Subject string          `json:"s"`           // the name of the queue, the consumer or the operation
	Payload json.RawMessage `json:"p,omitempty"` // what the form was made for
	Expires time.Time       `json:"e"`
}

var (
	errTicket  = errors.New("the form is not one of this console for you")
	errExpired = errors.New("the form was shown more than 10 minutes ago")
	errUsed    = errors.New("the form was sent before")
)

// tickets makes tickets and takes each of them once. It is safe for many goroutines.
type tickets struct {
	key []byte // immutable

	mu   sync.Mutex
	used map[string]time.Time // ids that were used, until they expire
}

func newTickets(key []byte) *tickets { return &tickets{key: key, used: map[string]time.Time{}} }

// issue makes the text of a ticket. payload may be nil.
func (t *tickets) issue(user string, a action, subject string, payload any, now time.Time) (string, error) {
	one := ticket{ID: uuid.NewString(), User: user, Action: a, Subject: subject, Expires: now.Add(ticketLife)}
	if payload != nil {
		text, err := json.Marshal(payload)
		if err != nil {
			return "", err
		}
		one.Payload = text
	}
	text, err := json.Marshal(one)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(t.sign(text)), nil
}

// sign puts the signature in front of a text.
func (t *tickets) sign(text []byte) []byte {
	mac := hmac.New(sha256.New, t.key)
	_, _ = mac.Write([]byte("console ticket 1\n")) // it never fails
	_, _ = mac.Write(text)
	return append(mac.Sum(nil), text...)
}

// read returns what a ticket allows, if it is one for this user, action and subject. It does not
// use it up.
func (t *tickets) read(text, user string, a action, subject string, now time.Time) (ticket, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < sha256.Size || subtle.ConstantTimeCompare(t.sign(raw[sha256.Size:]), raw) != 1 {
		return ticket{}, errTicket
	}
	var one ticket
	if json.Unmarshal(raw[sha256.Size:], &one) != nil || one.User != user || one.Action != a || one.Subject != subject {
		return ticket{}, errTicket
	}
	if !now.Before(one.Expires) {
		return ticket{}, errExpired
	}
	return one, nil
}

// use uses a ticket up. It says no if it is used already.
func (t *tickets) use(one ticket, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, end := range t.used {
		if !now.Before(end) {
			delete(t.used, id)
		}
	}
	if _, used := t.used[one.ID]; used {
		return false
	}
	t.used[one.ID] = one.Expires
	return true
}

// ticketField is the form's field that has the ticket.
const ticketField = "ticket"

// ticket makes the ticket of a form for this viewer.
func (a *answer) ticket(what action, subject string, payload any) (string, error) {
	return a.console.tickets.issue(a.user.Name, what, subject, payload, time.Now())
}

// readTicket reads the form's ticket, without using it up. It answers the request itself if the
// form must not be obeyed. back is a link to where a new form is.
func (a *answer) readTicket(what action, subject, back string) (ticket, bool) {
	one, err := a.console.tickets.read(a.r.PostFormValue(ticketField), a.user.Name, what, subject, time.Now())
	if err != nil {
		a.noTicket(err, back)
	}
	return one, err == nil
}

// useTicket uses a ticket up. It answers the request itself if it is used already.
func (a *answer) useTicket(one ticket, back string) bool {
	if a.console.tickets.use(one, time.Now()) {
		return true
	}
	a.noTicket(errUsed, back)
	return false
}

// take reads the form's ticket and uses it up.
func (a *answer) take(what action, subject, back string) (ticket, bool) {
	one, ok := a.readTicket(what, subject, back)
	return one, ok && a.useTicket(one, back)
}

// noTicket says why a form is not obeyed.
func (a *answer) noTicket(err error, back string) {
	a.problem(&problem{
		Status: http.StatusForbidden, Title: "Not done", Here: back,
		Text: "Nothing was changed by this request: " + err.Error() + ".", Do: "Open the page again, and send its form.",
	})
}
