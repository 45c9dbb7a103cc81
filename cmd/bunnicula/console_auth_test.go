package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// secret writes a file that its owner alone can read.
func secret(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestWhoIsLetInIsSaidByFilesThatAreChecked(t *testing.T) {
	for want, args := range map[string][]string{
		"--auth: open /none/users: no such file":          {"--auth", "basic:/none/users"},
		"line 1, hash: want one of bcrypt":                {"--auth", "basic:" + secret(t, "ann:pass-word-2", 0o600)},
		"has the mode 0644, want 0600 or 0640: chmod 600": {"--auth", "basic:" + secret(t, "ann:pass-word-2", 0o644)},
		"--key-file: ": {"--key-file", "/none/key"},
		"has 15 bytes, want 32 or more: openssl rand -hex 32": {"--key-file", secret(t, "pass-word-2shor", 0o600)},
	} {
		r := offline(t).run(append([]string{"console", "--url", "amqp://127.0.0.1:1/"}, args...)...)
		if r.code != exitUsage || !strings.Contains(r.err, want) || strings.Contains(r.err, "pass-word-2") {
			t.Errorf("%q: exit code %d, %s; want %q", args, r.code, r.err, want)
		}
	}
}

func TestAHashIsMadeOfTheFirstLineOfStandardInput(t *testing.T) {
	var out, errs output
	code := run(t.Context(), terminal{in: strings.NewReader("pass word 3\r\nmore\n"), out: &out, err: &errs, getenv: func(string) string { return "" }}, "console", "hash")
	if code != exitOK || bcrypt.CompareHashAndPassword([]byte(strings.TrimSpace(out.String())), []byte("pass word 3")) != nil {
		t.Errorf("exit code %d, %q, %s", code, out.String(), errs.String())
	}
	for input, want := range map[string]string{"": "standard input is empty", "\n": "the password is empty", strings.Repeat("x", 73): "more than 72 bytes"} {
		var errs output
		code := run(t.Context(), terminal{in: strings.NewReader(input), out: io.Discard, err: &errs, getenv: func(string) string { return "" }}, "console", "hash")
		if code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: exit code %d, %s; want %q", input, code, errs.String(), want)
		}
	}
}

func TestTheConsoleServesUsersOfAFile(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	hash, err := bcrypt.GenerateFromPassword([]byte("pass-word-2"), 10)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs output
	ended := make(chan int, 1)
	s := online(t)
	go func() {
		ended <- run(ctx, terminal{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(name string) string { return s.env[name] }},
			"console", "--listen", "127.0.0.1:0", "--auth", "basic:"+secret(t, "ann:"+string(hash)+"\n", 0o600), "--key-file", secret(t, strings.Repeat("k", 64), 0o600))
	}()
	link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)
	amqptest.Eventually(t, 20*time.Second, func() bool { return link.MatchString(out.String()) }, "no address is printed")
	browser := &http.Client{Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	for password, want := range map[string]int{"": http.StatusUnauthorized, "pass-word-4": http.StatusUnauthorized, "pass-word-2": http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.FindString(out.String()), nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			r.SetBasicAuth("ann", password)
		}
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("password %q: %s, want %d", password, answer.Status, want)
		}
	}
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("the exit code is %d", code)
	}
	if said := out.String() + errs.String(); strings.Contains(said, "pass-word") || !strings.Contains(said, "console login refused") {
		t.Errorf("it has said:\n%s", said)
	}
}
