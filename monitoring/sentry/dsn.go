package sentry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	sdk "github.com/getsentry/sentry-go"
)

// checkDSN says what is wrong with a DSN. It does not quote the parser's errors, because they quote
// the DSN, which contains the key.
func checkDSN(dsn string) error {
	_, err := sdk.NewDsn(dsn)
	var parse *sdk.DsnParseError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &parse) && dsnFaults[parse.Message]:
		return fmt.Errorf("%s; want https://key@host/project", parse.Message)
	default:
		return errors.New("not a URL; want https://key@host/project")
	}
}

// dsnFaults are the errors of sentry-go that do not quote the DSN.
var dsnFaults = map[string]bool{
	"invalid scheme": true, "empty username": true, "empty host": true, "invalid port": true, "empty project id": true,
}

// Format prints the Config without its DSN, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.describe()) }

// LogValue logs the Config without its DSN.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.describe()) }

func (c Config) describe() string {
	dsn := "none"
	if c.DSN != "" {
		dsn = "(hidden)"
	}
	return fmt.Sprintf("sentry.Config{DSN: %s, Environment: %q, Release: %q, ServerName: %q, SampleRate: %v, SendPayload: %d}",
		dsn, c.Environment, c.Release, c.ServerName, c.SampleRate, c.SendPayload)
}
