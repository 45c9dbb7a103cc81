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
	"runtime/debug"
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
	door     consoleDoor
	stateDir string
	stated   bool // --state-dir is given
	stream   string
}

func consoleCommand(a *app) *cobra.Command {
	var o consoleOptions
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Show consumers' queues and parked messages in a browser",
		Long: `Shows consumers' queues, and what is parked in their error queues, in a browser, where
messages can be redriven, archived, deleted and exported: each by a plan that says first
what would be done. It pauses, limits and resumes consumers of apps with control.Module, as
bunnicula control does. With --read-only it changes nothing. It prints a link that works once,
for 10 minutes; the browser that opens it is logged in for 12 hours. ^C ends it, stops what
is being moved, and gives back what is held.

With --auth basic:FILE browsers ask for a user and a password instead. A line of the file
is user:hash or user:hash:rights, with a hash of bcrypt, as "bunnicula console hash"
makes it, and rights such as "read" (the default), "see", "move" or "change" for all
queues, or "orders*=move,mail-error=see". Only its owner may write it, and others may not
read it. A file that has changed is read again.

Consumers are those of a topology file, or all that the management API shows. An error
queue is read when somebody opens it and it has 20000 messages or fewer; otherwise the
page has a link for that. All who look share one reading. What was read stays in memory,
bodies in a temporary file that this user alone can read and that has no name any more;
without it (--no-spool) 20 bodies of each kind of failure stay in memory.

Who has done what, and how far it has come, is written down in --state-dir, readable by
this user alone. One console at a time has a directory. After a kill the next console with
it says what was interrupted, and goes on with the rest. It is made if it is not there. By
default it is $XDG_STATE_HOME/bunnicula/console/HOST-PORT-VHOST, below ~/.local/state if that
is not set; --state-dir= is none, and so is --read-only without it.

An address beyond this machine needs TLS: --tls-cert and --tls-key, or --behind-tls if
a proxy has it. Then --host is the name that browsers use. Of a --trusted-proxy the
headers X-Forwarded-For, -Host, -Proto and -Prefix count, and of nobody else.`,
		Example: `  bunnicula console --file topology.yml
  bunnicula console --file topology.yml --read-only
  bunnicula console --management-url http://watcher:secret@localhost:15672
  bunnicula console --listen 10.0.0.5:7337 --host ops.example.com --behind-tls
  bunnicula console --auth basic:/etc/bunnicula/users --behind-tls --trusted-proxy 10.0.0.7`,
		Args: want(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return usage(err)
			}
			o.stated = cmd.Flags().Changed("state-dir")
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
	flags.StringVar(&o.door.auth, "auth", "link", "who is let in: link, or basic:FILE with users and hashes")
	flags.StringArrayVar(&o.door.proxies, "trusted-proxy", nil, "the address of a proxy whose headers count, or a range;\nseveral times")
	flags.StringVar(&o.door.keyFile, "key-file", "", "a file with a key of 32 bytes or more: processes with the same\none accept each other's logins")
	flags.StringVar(&o.stateDir, "state-dir", "", "the directory of operations and audit (default one of this\nuser for this virtual host)")
	flags.BoolVar(&o.noSpool, "no-spool", false, "keep no bodies in a file")
	flags.StringVar(&o.stream, "control-stream", control.ControlStream, "the stream of orders to processes")
	cmd.AddCommand(consoleHashCommand(a))
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
	if err := o.door.check(); err != nil {
		return err
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
	defer lean()()
	cfg := console.Config{
		Connection: conn, BasePath: o.basePath, Hosts: o.allowed(), Fleet: control.FleetConfig{Stream: o.stream}, ReadOnly: a.readOnly, StateDir: a.stateDir(o.stateDir, o.stated),
		Log: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: plainLog})),
	}
	login, err := o.door.open(&cfg, o.behind || o.cert != "")
	if err != nil {
		return usage(err)
	}
	if err := a.answers(ctx, conn.Transport().Consuming()); err != nil {
		return &awayError{err}
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
	fmt.Fprint(a.out, o.welcome(listener.Addr(), login))
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

// link is the address of a page, as browsers reach it.
func (o consoleOptions) link(at net.Addr, page, query string) string {
	u := url.URL{Scheme: "http", Host: at.String(), Path: strings.TrimSuffix(o.basePath, "/") + "/" + page, RawQuery: query}
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

// lean keeps the heap closer to what readings keep for long: Go lets it grow to twice that. It
// returns what ends it. GOGC goes first.
func lean() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(leanPercent)
	return func() { debug.SetGCPercent(before) }
}

const leanPercent = 50 // that the heap grows by before garbage is collected
