package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/control"
)

const consoleAddress = "127.0.0.1:7337"

type consoleOptions struct {
	file     string
	listen   string
	basePath string
	hosts    []string
	cert     string
	key      string
	behind   bool
	noSpool  bool
	stream   string
}

func consoleCommand(a *app) *cobra.Command {
	var o consoleOptions
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Show consumers' queues and parked messages in a browser",
		Long: `Shows consumers' queues, and what is parked in their error queues, in a browser. It
pauses, limits and resumes consumers of apps with control.Module, as bunnicula control
does. It prints a link that works once, for 10 minutes; the browser that opens it is
logged in for 12 hours. ^C ends it.

Consumers are those of a topology file, or all that the management API shows. An error
queue is read when somebody opens it and it has 20000 messages or fewer; otherwise the
page has a link for that. All who look share one reading. What was read stays in memory,
bodies in a temporary file that this user alone can read and that has no name any more;
without it (--no-spool) 20 bodies of each kind of failure stay in memory.

An address beyond this machine needs TLS: --tls-cert and --tls-key, or --behind-tls if
a proxy has it. Then --host is the name that browsers use.`,
		Example: `  bunnicula console --file topology.yml
  bunnicula console --management-url http://watcher:secret@localhost:15672
  bunnicula console --listen 10.0.0.5:7337 --host ops.example.com --behind-tls`,
		Args: want(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return usage(err)
			}
			a.endless = true
			return a.connected(cmd.Context(), func(conn *connection.Connection) error {
				return a.console(cmd.Context(), conn, o)
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	fileFlag(cmd, &o.file)
	flags.StringVar(&o.listen, "listen", consoleAddress, "the address to listen on")
	flags.StringVar(&o.basePath, "base-path", "/", "the path under which browsers reach it")
	flags.StringArrayVar(&o.hosts, "host", nil, "a name by which browsers reach it, beside localhost; several\ntimes")
	flags.StringVar(&o.cert, "tls-cert", "", "a file with the certificate, in PEM")
	flags.StringVar(&o.key, "tls-key", "", "a file with its key, in PEM")
	flags.BoolVar(&o.behind, "behind-tls", false, "a proxy in front of it has TLS")
	flags.BoolVar(&o.noSpool, "no-spool", false, "keep no bodies in a file")
	flags.StringVar(&o.stream, "control-stream", control.ControlStream, "the stream of orders to processes")
	return cmd
}

// check refuses what would show messages to anybody on the way.
func (o consoleOptions) check() error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen is %q, want host:port such as %s", o.listen, consoleAddress)
	}
	if (o.cert == "") != (o.key == "") {
		return errors.New("--tls-cert and --tls-key go together, and one is missing")
	}
	if !isLoopback(host) && o.cert == "" && !o.behind {
		return fmt.Errorf("--listen is %q, which others can reach: it needs TLS, want --tls-cert and --tls-key, or --behind-tls", o.listen)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// console serves until ^C.
func (a *app) console(ctx context.Context, conn *connection.Connection, o consoleOptions) error {
	if err := a.answers(ctx, conn.Transport().Consuming()); err != nil {
		return &awayError{err}
	}
	login, err := console.NewLogin(o.behind || o.cert != "", nil)
	if err != nil {
		return err
	}
	cfg := console.Config{
		Connection: conn, BasePath: o.basePath, Login: login, Hosts: o.allowed(), Fleet: control.FleetConfig{Stream: o.stream}, ReadOnly: a.readOnly,
		Log: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: plainLog})),
	}
	if o.file != "" {
		if cfg.Topology, err = a.read(o.file); err != nil {
			return err
		}
	}
	if !o.noSpool {
		cfg.SpoolDir = os.TempDir()
	}
	if cfg.ManagementURL, cfg.ManagementClient, err = a.apiClient(); err != nil {
		return err
	}
	c, err := console.New(cfg)
	if err != nil {
		return usage(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.timeout)
		defer cancel()
		c.Close(ctx)
	}()
	return a.serve(ctx, c, login, o)
}

// allowed returns the names by which browsers may reach it.
func (o consoleOptions) allowed() []string {
	hosts := append([]string{"localhost", "127.0.0.1", "::1"}, o.hosts...)
	if host, _, err := net.SplitHostPort(o.listen); err == nil && host != "" && !slices.Contains(hosts, host) {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// serve listens, prints the link, and answers until ctx ends.
func (a *app) serve(ctx context.Context, h http.Handler, login *console.Login, o consoleOptions) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return requests },
		TLSConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	fmt.Fprintf(a.out, "%s\nThe link works once, for 10 minutes. ^C ends the console.\n", o.link(listener.Addr(), login.Token()))
	served := make(chan error, 1)
	go func() {
		if o.cert != "" {
			served <- server.ServeTLS(listener, o.cert, o.key)
			return
		}
		served <- server.Serve(listener)
	}()
	select {
	case err = <-served:
		return err
	case <-ctx.Done():
	}
	end() // the answers that never end by themselves
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if server.Shutdown(soon) != nil {
		_ = server.Close() // a browser that does not read its answer is not waited for
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// link is the address that lets a browser in.
func (o consoleOptions) link(at net.Addr, token string) string {
	u := url.URL{Scheme: "http", Host: at.String(), Path: strings.TrimSuffix(o.basePath, "/") + "/login", RawQuery: "token=" + token}
	if o.cert != "" || o.behind {
		u.Scheme = "https"
	}
	host, port, _ := net.SplitHostPort(at.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("localhost", port)
	}
	if len(o.hosts) > 0 {
		if u.Host = net.JoinHostPort(o.hosts[0], port); o.behind {
			u.Host = o.hosts[0]
		}
	}
	return u.String()
}
