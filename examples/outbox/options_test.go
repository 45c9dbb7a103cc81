package main

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
)

func TestAWrongFlagIsNamedWithItsValue(t *testing.T) {
	for want, args := range map[string][]string{
		"-n is 0, want 1 to 1000000":                                  {"-n", "0"},
		"-clients is 101, want 1 to 100":                              {"-clients", "101"},
		"-workers is 0, want 1 to 100":                                {"-workers", "0"},
		"-kills is 5, want 0 to 4":                                    {"-n", "4", "-kills", "5"},
		"-failure-rate is 0.6, want 0 to 0.5":                         {"-failure-rate", "0.6"},
		"-failure-rate is NaN, want 0 to 0.5":                         {"-failure-rate", "NaN"},
		`-queue-prefix is "a/b"`:                                      {"-queue-prefix", "a/b"},
		`-dsn begins with "mysql://", want postgres://`:               {"-dsn", "mysql://root:secret@localhost/"},
		`-parts names "front", want some of shop,relay,worker`:        {"-parts", "shop,front"},
		`-victims names "database", want some of shop,relay,worker (`: {"-victims", "database"},
		`-victims names "cat", want some of shop,relay,worker,broker`: {"-victims", "cat", "-kill-broker", "true"},
		`"more" is not a flag`:                                        {"more"},
		"flag provided but not defined: -unknown (-h shows all":       {"-unknown"},
	} {
		var out, said drilltest.Output
		if code := run(t.Context(), args, strings.NewReader(""), &out, &said); code != drill.ExitUsage {
			t.Errorf("%q: exit code %d", args, code)
		}
		drilltest.MustContain(t, said.String(), want)
		if strings.Contains(said.String(), "secret") {
			t.Errorf("%q: the password is shown", args)
		}
	}
}

func TestADatabaseThatIsNotThereIsNamedAndItsPasswordIsNot(t *testing.T) {
	for _, dsn := range []string{"postgres://ann:secret@127.0.0.1:1/shop", "postgres://ann:secret@127.0.0.1:port/shop"} {
		o := Options{DSN: dsn}
		db, err := open(o, "test")
		if err == nil {
			err = db.PingContext(t.Context())
			_ = db.Close()
		}
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%v", err)
		}
	}
}
