// Command maker leaves messages in queues with the code that it is compiled with, and writes them
// down as a fixture. It is compiled in the tree of an earlier version: see the test that makes the
// fixtures.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() {
	if err := run(os.Getenv("AMQP_URL")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url string) error {
	raw, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	uri, err := amqp.ParseURI(url)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	conn, err := connection.New(connection.Config{URL: url, Name: "shop", Version: "1.0.0"}, log)
	if err != nil {
		return err
	}
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		return err
	}
	f := fixture.Fixture{Taken: time.Now().UTC(), User: uri.Username}
	f.Version, _ = raw.Properties["version"].(string)
	for _, name := range slices.Sorted(maps.Keys(fixture.Specs(fixture.Base))) {
		s := &scene{name: name, raw: raw, conn: conn, pub: pub, log: log, user: uri.Username, spec: fixture.Specs(fixture.Base)[name]}
		made, err := s.make()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		f.Schemes = append(f.Schemes, made)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(pub.Stop(ctx), conn.Stop(ctx)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, quote := range []string{`"`, `\"`} { // in the history the quotes are quoted
		text = bytes.ReplaceAll(text, []byte(quote+host+quote), []byte(quote+"worker-1"+quote))
	}
	return os.WriteFile(os.Getenv("FIXTURE"), append(text, '\n'), 0o644)
}
