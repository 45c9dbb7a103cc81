package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// door is the console and where it is answered.
type door struct {
	listener net.Listener
	login    *console.Login

	// Set by serve.
	state   string // the directory of the console's operations and audit, until close
	conn    *connection.Connection
	console *console.Console
	server  *http.Server
	end     context.CancelFunc // of the answers that never end by themselves
}

func listen(ctx context.Context, addr string) (*door, error) {
	login, err := console.NewLogin(false, nil)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &door{listener: l, login: login}, nil
}

// link lets one browser in.
func (d *door) link() string {
	return "http://" + d.listener.Addr().String() + "/login?token=" + d.login.Token()
}

// serve shows the consumers of the shop.
func (d *door) serve(s *shop, o options) (err error) {
	shown, err := topologyfile.Of(s.open.group.Plans()...)
	if err != nil {
		return err
	}
	if d.conn, err = connection.New(connection.Config{URL: o.url, Name: "console"}, o.log); err != nil {
		return err
	}
	if d.state, err = os.MkdirTemp("", "bunnicula-practice-*"); err != nil {
		return err
	}
	d.console, err = console.New(console.Config{
		Connection: d.conn, Topology: shown, Login: d.login, SpoolDir: d.state, StateDir: d.state, Log: o.log,
		Fleet: control.FleetConfig{Stream: orderStream(o.prefix)},
	})
	if err != nil {
		return err
	}
	requests, end := context.WithCancel(context.Background())
	d.end = end
	d.server = &http.Server{
		Handler: d.console, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	go func() { _ = d.server.Serve(d.listener) }() // until Shutdown
	return nil
}

func (d *door) close(ctx context.Context) error {
	var err error
	if d.server != nil {
		d.end()
		err = d.server.Shutdown(ctx)
	} else {
		err = d.listener.Close()
	}
	if d.console != nil {
		d.console.Close(ctx)
	}
	if d.conn != nil {
		err = errors.Join(err, d.conn.Stop(ctx))
	}
	if d.state != "" {
		err = errors.Join(err, os.RemoveAll(d.state))
	}
	return err
}
