package main

import (
	"strings"
	"testing"
)

func TestTheDoctorLooksAtAnOutboxWhoseBrokerIsAway(t *testing.T) {
	t.Parallel()
	o := filled(t)
	defer func() { _ = o.db.Close() }()
	s := o.shell()
	s.env["AMQP_URL"] = "amqp://127.0.0.1:1"
	r := s.run("doctor", "--timeout", "3s").want(t, exitFailed, "1 row to queue emails failed", "3 serious", "bunnicula: not connected (dial 127.0.0.1:1")
	if !strings.HasPrefix(r.out, o.file+"\n\nserious") || strings.Contains(r.out, "which the broker does not have") {
		t.Errorf("%s", r.out)
	}
	r = s.run("doctor", "--json", "--timeout", "3s").want(t, exitFailed, `"database": "`+o.file+`"`, `"check": "outbox-failed"`, "127.0.0.1:1")
	if strings.Contains(r.out, `"broker"`) {
		t.Errorf("%s", r.out)
	}
	s.run("doctor", "--timeout", "3s", "--dsn", o.file+"-none").want(t, exitFailed, "127.0.0.1:1", "no such file")
	s.env["AMQP_URL"] = "nonsense"
	if r := s.run("doctor").want(t, exitUsage, "AMQP_URL"); r.out != "" {
		t.Errorf("a URL that cannot be read: %s", r.out)
	}
}
