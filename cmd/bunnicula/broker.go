package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

const (
	patience = 10 * time.Second // for a broker that does not answer; --timeout may be less
	goodbye  = 2 * time.Second
)

func (a *app) config() (connection.Config, error) {
	cfg, err := connection.ConfigFrom(func(name string) string {
		if name == "AMQP_URL" && a.url != "" {
			return a.url
		}
		if name == "RABBITMQ_MANAGEMENT_URL" && a.management != "" {
			return a.management
		}
		return a.getenv(name)
	})
	if err != nil && a.management != "" {
		err = errors.New(strings.ReplaceAll(err.Error(), "RABBITMQ_MANAGEMENT_URL", "--management-url"))
	}
	if err != nil && a.url != "" {
		err = errors.New(strings.ReplaceAll(err.Error(), "AMQP_URL", "--url"))
	}
	if err != nil {
		return cfg, usage(err)
	}
	if cfg.Name == "" {
		cfg.Name = "bunnicula"
	}
	return cfg, nil
}

// connected runs f with a connection, and closes it.
func (a *app) connected(ctx context.Context, f func(*connection.Connection) error) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	conn, err := connection.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = conn.Stop(ctx) // the connection is closed whatever the error is
	}()
	return f(conn)
}

// inspecting runs f with a broker that has answered.
func (a *app) inspecting(ctx context.Context, f func(*inspect.Broker) error) error {
	return a.inspectingBy(ctx, func(_ *connection.Connection, b *inspect.Broker) error { return f(b) })
}

// inspectingBy is inspecting for what needs the connection too.
func (a *app) inspectingBy(ctx context.Context, f func(*connection.Connection, *inspect.Broker) error) error {
	return a.connected(ctx, func(conn *connection.Connection) error {
		if err := a.answers(ctx, conn.Transport().Consuming()); err != nil {
			return &awayError{err}
		}
		return f(conn, inspect.New(conn.Transport().Consuming()))
	})
}

// awayError is that of a broker that does not answer, or that refuses the user.
type awayError struct{ error }

func (e *awayError) Unwrap() error { return e.error }

// answers waits until the broker answers, for patience at most.
func (a *app) answers(ctx context.Context, link transport.Link) error {
	limit := min(patience, a.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	_, err := link.Session(ctx)
	return a.whichBroker(err)
}

// whichBroker adds a hint to the error of a broker that does not answer, or that refuses the user:
// the address is the default, because none was given.
func (a *app) whichBroker(err error) error {
	if err == nil || a.url != "" || a.getenv("AMQP_URL") != "" {
		return err
	}
	return fmt.Errorf("%w (neither AMQP_URL nor --url is set, so this was the broker of this machine)", err)
}

// where returns the broker's address for people.
func where(p transport.Peer) string {
	scheme := "amqp"
	if p.TLS {
		scheme = "amqps"
	}
	return fmt.Sprintf("%s://%s/%s", scheme, p.Addr, strings.TrimPrefix(p.VHost, "/"))
}

// api returns a client of the management API, or nil if its address was not given.
func (a *app) api() (api *management.Client, done func(), err error) {
	raw, web, err := a.apiClient()
	if raw == "" || err != nil {
		return nil, func() {}, err
	}
	api, err = management.New(raw, web)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("%s: %w", a.apiFrom(), err))
	}
	return api, web.CloseIdleConnections, nil
}

// apiFrom says where the address of the management API comes from.
func (a *app) apiFrom() string {
	if a.management != "" {
		return "--management-url"
	}
	return "RABBITMQ_MANAGEMENT_URL"
}

// apiClient returns the address of the management API, "" without one, and a client that trusts
// the broker's authorities.
func (a *app) apiClient() (raw string, client *http.Client, err error) {
	if raw = a.management; raw == "" {
		raw = a.getenv("RABBITMQ_MANAGEMENT_URL")
	}
	if raw == "" {
		return "", nil, nil
	}
	web := http.DefaultTransport.(*http.Transport).Clone()
	if file := a.getenv("AMQP_CA_FILE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return "", nil, usage(fmt.Errorf("AMQP_CA_FILE: %w", err))
		}
		authorities := x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(pem) {
			return "", nil, usage(fmt.Errorf("AMQP_CA_FILE: %q holds no PEM certificate", file))
		}
		web.TLSClientConfig = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	return raw, &http.Client{Transport: web}, nil
}

// known asks the management API for the queues and bindings of the virtual host. It returns nil
// without an API.
func (a *app) known(ctx context.Context, b *inspect.Broker) (*inspect.Known, error) {
	api, done, err := a.api()
	if api == nil || err != nil {
		return nil, err
	}
	defer done()
	peer, err := b.Peer(ctx)
	if err != nil {
		return nil, err
	}
	k := &inspect.Known{}
	if k.Queues, err = api.Queues(ctx, peer.VHost); err != nil {
		return nil, err
	}
	k.Bindings, err = api.Bindings(ctx, peer.VHost)
	return k, err
}
