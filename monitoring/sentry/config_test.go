package sentry_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
)

func TestAConfigErrorNamesTheFieldButNeverTheKey(t *testing.T) {
	const want = "want https://key@host/project"
	for dsn, why := range map[string]string{
		"ftp://" + key + "@localhost/42": "invalid scheme; " + want,
		"https://localhost/" + key:       "empty username; " + want,
		"https://" + key + "@/42":        "empty host; " + want,
		"https://" + key + "@localhost":  "empty project id; " + want,
		// A parser takes the secret for a port.
		"https://" + key + ":" + secret:                "not a URL; " + want,
		"https://" + key + ":" + secret + "%zz@host/1": "not a URL; " + want,
		"\x7f" + key: "not a URL; " + want,
	} {
		m, err := sentry.New(sentry.Config{DSN: dsn})
		if m != nil || err == nil || err.Error() != "sentry: Config.DSN: "+why {
			t.Errorf("%q: error is %v; want %q", dsn, err, why)
		}
	}
}

func TestAConfigErrorNamesTheFieldAndItsValue(t *testing.T) {
	for want, cfg := range map[string]sentry.Config{
		"sentry: Config.SampleRate -1: must be above 0 and at most 1":  {SampleRate: -1},
		"sentry: Config.SampleRate 1.1: must be above 0 and at most 1": {SampleRate: 1.1},
		"sentry: Config.SampleRate NaN: must be above 0 and at most 1": {SampleRate: math.NaN()},
		"sentry: Config.SendPayload -1: must not be negative":          {SendPayload: -1},
	} {
		if m, err := sentry.New(cfg); m != nil || err == nil || err.Error() != want {
			t.Errorf("error is %v; want %q", err, want)
		}
	}
}

func TestAConfigIsPrintedAndLoggedWithoutItsDSN(t *testing.T) {
	cfg := sentry.Config{DSN: "https://" + key + ":" + secret + "@sentry.example/42", Environment: "staging"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("started", "sentry", cfg)
	slog.New(slog.NewTextHandler(&log, nil)).Info("started", "sentry", cfg)

	for _, text := range []string{
		log.String(), fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", &cfg), fmt.Sprintf("%s %q %x", cfg, cfg, cfg),
	} {
		if strings.Contains(text, key) || strings.Contains(text, secret) || !strings.Contains(text, "staging") {
			t.Errorf("%q; want all but the key", text)
		}
	}
}

func TestAllWrongFieldsAreReportedTogether(t *testing.T) {
	_, err := sentry.New(sentry.Config{DSN: "nowhere", SampleRate: 7, SendPayload: -1})
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{"DSN: ", "SampleRate 7", "SendPayload -1"} {
		if !strings.Contains(err.Error(), "sentry: Config."+want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}
