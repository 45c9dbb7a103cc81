package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	tokenLife  = 10 * time.Minute
	cookieLife = 12 * time.Hour
	cookieName = "bunnicula-console"
)

var (
	errNoCookie  = errors.New("there is no login")
	errBadCookie = errors.New("the login is over, or is not one of ours")
)

// Login lets a browser in by a link that works once, for 10 minutes. The browser then has a signed
// cookie for 12 hours. It is safe for use by many goroutines.
type Login struct {
	key    []byte // immutable; nil means that of the Console
	secure bool   // immutable: the cookie is for TLS only

	mu     sync.Mutex
	tokens map[[sha256.Size]byte]time.Time // digests of those that were not used, and their ends
}

// NewLogin makes a Login. secure says that browsers use TLS, and key signs the cookies, so that a
// process that has the same one accepts them. A nil key means [Config.Key].
func NewLogin(secure bool, key []byte) (*Login, error) {
	if key != nil && len(key) < 32 {
		return nil, errors.New("console: the login's key is too short, want 32 bytes or more")
	}
	return &Login{key: key, secure: secure, tokens: map[[sha256.Size]byte]time.Time{}}, nil
}

// Token returns the value of the parameter "token" for a link to the path "login" below the
// BasePath.
func (l *Login) Token() string {
	token := rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	for t, end := range l.tokens {
		if !time.Now().Before(end) {
			delete(l.tokens, t)
		}
	}
	l.tokens[sha256.Sum256([]byte(token))] = time.Now().Add(tokenLife)
	return token
}

// use says whether the token is good, and makes it useless.
func (l *Login) use(token string) bool {
	digest := sha256.Sum256([]byte(token)) // so that a comparison tells nothing of the token
	l.mu.Lock()
	defer l.mu.Unlock()
	end, ok := l.tokens[digest]
	delete(l.tokens, digest)
	return ok && time.Now().Before(end)
}

// cookie makes a cookie for everything below a path. key is the Console's.
func (l *Login) cookie(key []byte, below string, secure bool) *http.Cookie {
	payload := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(cookieLife).Unix()))
	return &http.Cookie{
		Name: cookieName, Value: base64.RawURLEncoding.EncodeToString(l.sign(key, payload)),
		Path: below, MaxAge: int(cookieLife / time.Second), Secure: l.secure || secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// sign appends the signature.
func (l *Login) sign(key, payload []byte) []byte {
	if l.key != nil {
		key = l.key
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte("console cookie 1\n")) // it never fails
	_, _ = mac.Write(payload)
	return mac.Sum(payload)
}

// identify reads the cookie. key is the Console's.
func (l *Login) identify(key []byte, r *http.Request) (User, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return User{}, errNoCookie
	}
	const size = 8
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(raw) != size+sha256.Size || subtle.ConstantTimeCompare(l.sign(key, raw[:size:size]), raw) != 1 {
		return User{}, errBadCookie
	}
	if time.Now().Unix() >= int64(binary.BigEndian.Uint64(raw[:size])) {
		return User{}, errBadCookie
	}
	return owner("login", Change), nil
}
