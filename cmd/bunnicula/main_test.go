package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/golden"
)

// scratch is a folder for what several tests use.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "bunnicula-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(scratch)
		os.Exit(code)
	}))
}

// shell is the environment in which a test runs the command.
type shell struct {
	t     *testing.T
	ctx   context.Context
	env   map[string]string
	in    string
	asks  bool
	shows bool
}

// offline returns a shell without a broker.
func offline(t *testing.T) *shell {
	t.Helper()
	return &shell{t: t, ctx: t.Context(), env: map[string]string{"AMQP_URL": "amqp://guest:hunter2@127.0.0.1:1/"}}
}

// online returns a shell with the tests' broker.
func online(t *testing.T) *shell {
	t.Helper()
	s := offline(t)
	s.env["AMQP_URL"] = amqptest.URL(t)
	return s
}

// result is the result of a run.
type result struct {
	code     int
	out, err string
}

func (s *shell) run(args ...string) result {
	s.t.Helper()
	var out, errs bytes.Buffer
	code := run(s.ctx, terminal{
		in: strings.NewReader(s.in), out: &out, err: &errs, asks: s.asks, shows: s.shows,
		getenv: func(name string) string { return s.env[name] },
	}, args...)
	r := result{code, out.String(), errs.String()}
	for _, secret := range []string{"hunter2", password(s.env["AMQP_URL"]), password(s.env["BUNNICULA_DSN"])} {
		if strings.Contains(r.out+r.err, secret) && secret != "" {
			s.t.Errorf("%q shows a password:\n%s%s", args, r.out, r.err)
		}
	}
	return r
}

// password returns the password of a URL, unless it is also the name of the user or the virtual
// host, which are shown.
func password(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	p, _ := u.User.Password()
	if p == u.User.Username() || p == strings.Trim(u.Path, "/") {
		return ""
	}
	return p
}

// want fails unless the exit code is this one and the output on both streams has each text.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("nothing says %q:\n%s%s", text, r.out, r.err)
		}
	}
	return r
}

// file writes a file for the command to read.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "topology.yml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// compare compares text with a golden file. Text that differs from run to run has replacements of
// the same length in the file.
func compare(t *testing.T, name, text string, replace ...string) {
	t.Helper()
	if address, err := url.Parse(os.Getenv("AMQP_URL")); err == nil && address.Host != "" {
		replace = append(replace, address.Host+address.Path, "broker/vhost")
	}
	golden.Compare(t, name, strings.NewReplacer(replace...).Replace(text))
}
