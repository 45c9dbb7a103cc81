package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/bunnicula-go/bunnicula/internal/applog"
)

const (
	hashWait = 5 * time.Second // of a password for its turn to be hashed
	hashing  = 2               // passwords at a time
	freshFor = 2 * time.Second // a file as young as that may change without another time
)

// Basic lets in who has a user and a password of a file, which browsers ask for (HTTP's Basic
// authentication). It needs TLS, since they send the password with each request. A file that has
// changed is read again at the next request; while it cannot be read, or a line of it is wrong, the
// users are those of before, and the log says so. It is safe for use by many goroutines.
//
// Wrong passwords are logged, without the password. An address has ten of them, and one more each
// 10 s; beyond that whoever comes from there has to wait.
type Basic struct {
	name string // of the file; immutable
	log  *slog.Logger
	key  []byte        // of the digests; immutable
	turn chan struct{} // has a token for each password that is hashed
	slow throttle

	mu     sync.Mutex
	users  map[string]account
	names  []string // of users, sorted
	sum    [sha256.Size]byte
	info   os.FileInfo // of the file that was read last, nil if there was none
	readAt time.Time
	known  map[string][sha256.Size]byte // digests of passwords that were right, by user
}

// NewBasic reads the users of a file. A line is
//
//	user:hash
//	user:hash:rights
//
// where the hash is one of bcrypt with a cost from 10 to 15, as "bunnicula console hash" makes it,
// and rights are "see", "read", "move" or "change" for all queues, or a list such as
// "orders*=move,mail-error=see" of what [Grant] has. Without rights a user may read everything.
// Empty lines and those that begin with # are ignored. The file must be one that only its owner may
// write and that others may not read.
//
// A nil log means slog.Default().
func NewBasic(file string, log *slog.Logger) (*Basic, error) {
	b := &Basic{name: file, log: applog.First(log), key: make([]byte, 32), turn: make(chan struct{}, hashing)}
	_, _ = rand.Read(b.key) // it never fails
	if err := b.load(time.Now()); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return b, nil
}

// challenge is why a browser has to send a password, or another one.
type challenge struct {
	why   string
	after time.Duration // it has to wait so long first, if it is not 0
}

func (c *challenge) Error() string { return c.why }

// Identify says who makes a request: it is a function for [Config.Identify]. The Console has the
// browser ask for user and password if it returns an error.
func (b *Basic) Identify(r *http.Request) (User, error) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return User{}, &challenge{why: "there is no password"}
	}
	b.refresh(time.Now())
	from := address(r.RemoteAddr)
	if wait := b.slow.take(from, time.Now()); wait > 0 {
		return User{}, &challenge{why: "too many wrong passwords", after: wait}
	}
	a, known, err := b.check(r.Context(), name, password)
	switch {
	case err != nil:
		b.slow.giveBack(from)
		return User{}, err
	case a == nil:
		if !known {
			name = "" // it may be a password in the wrong field
		}
		b.log.Warn("console login refused", "remote", r.RemoteAddr, "user", name)
		return User{}, &challenge{why: "the user or the password is wrong"}
	}
	b.slow.giveBack(from)
	return User{Name: name, Grants: a.grants}, nil
}

// check returns the account of a user, nil if the password is wrong. known says that there is such
// a user.
func (b *Basic) check(ctx context.Context, name, password string) (a *account, known bool, err error) {
	a, known = b.account(name)
	digest := b.digest(name, password, a.hash)
	if known && b.remembers(name, digest) {
		return a, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil, known, &challenge{why: "too many passwords are checked at this time", after: hashWait}
	}
	if known && b.remembers(name, digest) { // by a request that had its turn before
		return a, true, nil
	}
	if err := bcrypt.CompareHashAndPassword(a.hash, []byte(password)); err != nil || !known {
		return nil, known, nil
	}
	b.remember(name, digest, a)
	return a, true, nil
}

// account returns that of a user. For one who is unknown it is that of somebody else, always of the
// same one, so that a refusal takes as long as that of a user.
func (b *Basic) account(name string) (*account, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, known := b.users[name]
	if !known {
		digest := b.digest(name, "", nil)
		a = b.users[b.names[binary.BigEndian.Uint32(digest[:])%uint32(len(b.names))]] //nolint:gosec // there are few
	}
	return &a, known
}

// digest names a user with a password and a hash, for as long as the process lives.
func (b *Basic) digest(name, password string, hash []byte) (d [sha256.Size]byte) {
	mac := hmac.New(sha256.New, b.key)
	for _, part := range [][]byte{[]byte(name), []byte(password), hash} {
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // it never fails
		_, _ = mac.Write(part)
	}
	copy(d[:], mac.Sum(nil))
	return d
}

// remembers says whether the password was right before.
func (b *Basic) remembers(name string, digest [sha256.Size]byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, ok := b.known[name]
	return ok && subtle.ConstantTimeCompare(last[:], digest[:]) == 1
}

// remember keeps that a password is right, if the user is still the same.
func (b *Basic) remember(name string, digest [sha256.Size]byte, a *account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now, ok := b.users[name]; ok && string(now.hash) == string(a.hash) {
		b.known[name] = digest
	}
}

// refresh reads the file again if it has changed.
func (b *Basic) refresh(now time.Time) {
	b.mu.Lock()
	last, fresh := b.info, b.info != nil && b.readAt.Sub(b.info.ModTime()) < freshFor
	b.mu.Unlock()
	info, err := os.Stat(b.name)
	if err == nil && last != nil && !fresh && os.SameFile(info, last) && info.ModTime().Equal(last.ModTime()) && info.Size() == last.Size() {
		return
	}
	if err == nil {
		err = b.load(now)
	}
	if err == nil {
		return
	}
	b.mu.Lock()
	b.info = nil // so that the next request tries again
	b.mu.Unlock()
	if last != nil {
		b.log.Error("console users not read again, those of before count", "err", err)
	}
}

// load reads the file.
func (b *Basic) load(now time.Time) error {
	info, text, err := readSecret(b.name)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	b.mu.Lock()
	same := b.users != nil && sum == b.sum
	b.mu.Unlock()
	users, names, err := parseAccounts(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.info, b.readAt = info, now
	if !same {
		b.users, b.names, b.sum, b.known = users, names, sum, map[string][sha256.Size]byte{}
	}
	return nil
}

var errNoUsers = errors.New("it has no user, want lines such as user:hash")
