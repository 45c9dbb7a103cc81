package console

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const secretWord = "correct horse 1"

// hashed makes the cheapest hash that a file may have.
var hashed = sync.OnceValue(func() string {
	hash, err := bcrypt.GenerateFromPassword([]byte(secretWord), costLeast)
	if err != nil {
		panic(err)
	}
	return string(hash)
})

// users writes a file of users, and returns its name.
func users(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "users")
	write(t, name, lines...)
	return name
}

func write(t *testing.T, name string, lines ...string) {
	t.Helper()
	text := strings.ReplaceAll(strings.Join(lines, "\n"), "HASH", hashed())
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// login asks for the user of a request.
func login(b *Basic, user, password string) (User, error) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "192.0.2.7:1"
	r.SetBasicAuth(user, password)
	return b.Identify(r)
}

func TestAFileSaysWhoMayDoWhat(t *testing.T) {
	b, err := NewBasic(users(t, "# people", "", "ann:HASH", "bob:HASH:orders*=move,mail-error=see", "eve:HASH:change", "Zoë:HASH:see"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		user, queue string
		right       Right
	}{
		{"ann", "orders-error", Read}, {"bob", "orders-error", Move}, {"bob", "mail-error", See}, {"bob", "mail-error.x", 0}, {"bob", "other", 0},
		{"eve", "orders-error", Change}, {"Zoë", "orders-error", See},
	} {
		u, err := login(b, test.user, secretWord)
		if err != nil || u.Name != test.user {
			t.Fatalf("%s: %q, %v", test.user, u.Name, err)
		}
		for right := See; right <= Change; right++ {
			if got := u.may(right, test.queue); got != (right <= test.right) {
				t.Errorf("%s may %s %s: %v", test.user, right, test.queue, got)
			}
		}
	}
	for user, password := range map[string]string{"ann": "wrong", "nobody": secretWord, "": "", "bob": ""} {
		if _, err := login(b, user, password); err == nil || err.Error() != "the user or the password is wrong" {
			t.Errorf("%q with %q: %v", user, password, err)
		}
	}
}

func TestAWrongLineIsNamedByNumberAndFieldAlone(t *testing.T) {
	for want, line := range map[string]string{
		"line 2, user: want user:hash or user:hash:rights":                  "HASH:ann",
		"line 2, user: want user:hash or user:hash:rights, with":            "nothing",
		"line 2, user: want user:hash or user:hash:rights, with a":          ":HASH",
		"line 2, user: want user:hash or user:hash:rights, with a name":     "a\x00n:HASH",
		"line 2, hash: want one of bcrypt":                                  "ann:plain-secret",
		`line 2, hash: want one of bcrypt: "bunnicula console hash"`:        "ann:HASHHASH",
		"line 2, hash: want a cost from 10 to 15":                           "ann:$2a$04$" + strings.Repeat("x", 53),
		"line 2, hash: want a cost from 10 to":                              "ann:$2a$31$" + strings.Repeat("x", 53),
		"line 2, rights: want see, read, move or change, or a list such as": "ann:HASH:admin",
		"line 2, rights: want see, read, move or change, or a list":         "ann:HASH:",
		"line 2, rights: want see, read, move or change, or":                "ann:HASH:orders=read,",
		"line 2, rights: want see, read, move or change":                    "ann:HASH:or*ers=read",
		"line 2, rights: want see, read, move or":                           "ann:HASH:read:HASH",
		"line 2, user: want one that no line before it has":                 "first:HASH",
	} {
		_, err := NewBasic(users(t, "first:HASH", line), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "$2") || strings.Contains(err.Error(), "plain-secret")) {
			t.Errorf("the error shows the hash: %v", err)
		}
	}
	if _, err := NewBasic(users(t, "# nobody"), nil); err == nil || !strings.Contains(err.Error(), "it has no user") {
		t.Errorf("a file without users: %v", err)
	}
}

func TestAFileThatOthersCanReadIsRefused(t *testing.T) {
	name := users(t, "ann:HASH")
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o440: true, 0o644: false, 0o660: false, 0o602: false, 0o777: false} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		_, err := NewBasic(name, nil)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "want 0600 or 0640: chmod 600 "+name) {
			t.Errorf("%04o: %v", mode, err)
		}
	}
}

func TestAFileThatHasChangedIsReadAgain(t *testing.T) {
	var log bytes.Buffer
	name := users(t, "ann:HASH:see")
	b, err := NewBasic(name, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	right := func() Right {
		u, err := login(b, "ann", secretWord)
		if err != nil {
			return 0
		}
		return u.Grants[0].Right
	}
	if right() != See {
		t.Fatalf("the right is %s", right())
	}
	write(t, name, "ann:HASH:mov") // at once, and of the same size as the next one
	if right() != See || !strings.Contains(log.String(), "line 1, rights") {
		t.Errorf("a wrong file: %s, %s", right(), log.String())
	}
	log.Reset()
	if right(); log.Len() > 0 {
		t.Errorf("it is logged again: %s", log.String())
	}
	write(t, name, "ann:HASH:move")
	if right() != Move {
		t.Errorf("the right is %s, want move", right())
	}
	write(t, name, "bob:HASH")
	if right() != 0 {
		t.Error("who is no user any more is let in")
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := login(b, "bob", secretWord); err != nil {
		t.Errorf("without the file: %v", err)
	}
}

func TestAPasswordIsHashedOnce(t *testing.T) {
	b, err := NewBasic(users(t, "ann:HASH"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login(b, "ann", secretWord); err != nil {
		t.Fatal(err)
	}
	b.turn <- struct{}{} // whoever wants to hash has to wait
	b.turn <- struct{}{}
	for range 100 {
		if _, err := login(b, "ann", secretWord); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSomebodyUnknownIsRefusedWithTheWorkOfAUser(t *testing.T) {
	b, err := NewBasic(users(t, "ann:HASH"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	took := func(user string) time.Duration {
		least := time.Hour
		for range 4 {
			begin := time.Now()
			_, _ = login(b, user, "wrong")
			least = min(least, time.Since(begin))
		}
		return least
	}
	user, nobody := took("ann"), took("nobody")
	if nobody < user/4 || user < nobody/4 { // a busy machine; without a hash it is a thousandth
		t.Errorf("a user takes %s, and nobody %s", user, nobody)
	}
	first, _ := b.account("nobody")
	second, known := b.account("nobody")
	if known || string(first.hash) != string(second.hash) {
		t.Error("somebody unknown is compared with different hashes")
	}
}

func TestWrongPasswordsAreLoggedWithoutThem(t *testing.T) {
	var log bytes.Buffer
	b, err := NewBasic(users(t, "ann:HASH"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = login(b, "ann", "hunter2")
	_, _ = login(b, "hunter3", "ann")
	text := log.String()
	if strings.Count(text, "console login refused") != 2 || !strings.Contains(text, "user=ann") || !strings.Contains(text, "remote=192.0.2.7:1") || strings.Contains(text, "hunter") {
		t.Errorf("the log is %s", text)
	}
}

func TestAnAddressThatIsWrongTooOftenHasToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := NewBasic(users(t, "ann:HASH"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c := made(t, Config{Identify: b.Identify})
		from := func(address, password string) *http.Response {
			r := httptest.NewRequest(http.MethodGet, "/topology", nil)
			r.RemoteAddr = address
			if password != "" {
				r.SetBasicAuth("ann", password)
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			return w.Result()
		}
		if answer := from("192.0.2.7:1", ""); answer.StatusCode != http.StatusUnauthorized || answer.Header.Get("WWW-Authenticate") != `Basic realm="Bunnicula console", charset="UTF-8"` {
			t.Errorf("without a password: %s, %v", answer.Status, answer.Header)
		}
		for i := range wrongMost {
			if answer := from("192.0.2.7:1", "wrong"); answer.StatusCode != http.StatusUnauthorized {
				t.Fatalf("wrong, time %d: %s", i+1, answer.Status)
			}
		}
		if answer := from("192.0.2.7:2", secretWord); answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "10" {
			t.Errorf("after that: %s, %q", answer.Status, answer.Header.Get("Retry-After"))
		}
		if answer := from("192.0.2.8:1", secretWord); answer.StatusCode != http.StatusOK {
			t.Errorf("from another address: %s", answer.Status)
		}
		time.Sleep(wrongEvery)
		for range 3 * wrongMost { // what is right costs nothing
			if answer := from("192.0.2.7:1", secretWord); answer.StatusCode != http.StatusOK {
				t.Fatalf("ten seconds later: %s", answer.Status)
			}
		}
	})
}

func TestTheThrottleRemembersABoundedNumberOfAddresses(t *testing.T) {
	var th throttle
	now := time.Now()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range 3 * wrongKnown {
		th.take(at(i), now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(th.tries) > wrongKnown {
		t.Errorf("it has %d", len(th.tries))
	}
	v6 := func(text string) netip.Addr { return netip.MustParseAddr(text) }
	if network(v6("2001:db8::1")) != network(v6("2001:db8::ffff")) || network(v6("2001:db8::1")) == network(v6("2001:db8:0:1::1")) {
		t.Error("a /64 is not one address")
	}
	th.take(netip.Addr{}, now) // what is no address counts as one too
}

func TestAKeyIsReadFromAFileForItsOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key")
	for text, want := range map[string]string{
		strings.Repeat("a", 32) + "\n": "",
		strings.Repeat("a", 31) + "\n": "has 31 bytes, want 32 or more",
		"":                             "has 0 bytes",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := ReadKey(name)
		if want == "" && (err != nil || len(key) != 32) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes: %v, want %q", len(text), err, want)
		}
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(name); err == nil || !strings.Contains(err.Error(), "has the mode 0644") {
		t.Errorf("a file for everybody: %v", err)
	}
}

func TestAHashIsOneThatAFileMayHave(t *testing.T) {
	hash, err := HashPassword(secretWord)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBasic(users(t, "ann:"+hash), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login(b, "ann", secretWord); err != nil {
		t.Error(err)
	}
	for _, password := range []string{"", strings.Repeat("x", 73)} {
		if _, err := HashPassword(password); err == nil {
			t.Errorf("a password of %d bytes is hashed", len(password))
		}
	}
}
