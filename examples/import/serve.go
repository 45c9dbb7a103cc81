package main

import (
	"context"
	"net"
	"net/http"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
)

// Server is the API on a port of loopback.
type Server struct {
	*http.Server

	API *api.Server
}

// serve starts the API on loopback and returns a Client of it.
func serve(o Options) (Server, Client, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return Server{}, Client{}, err
	}
	server, client := serveOn(o, listener, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	})
	return server, client, nil
}

// serveOn starts the API behind a listener, which dial leads to. The Client's URL is the same at
// each start, so that texts of failures are.
func serveOn(o Options, listener net.Listener, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (Server, Client) {
	cfg := api.Config{Rate: o.Rate, FailureRate: o.FailureRate, Seed: o.Seed}
	for _, name := range o.Accounts() {
		cfg.Accounts = append(cfg.Accounts, o.account(name))
	}
	played := api.NewServer(cfg)
	server := &http.Server{ReadHeaderTimeout: patience, Handler: played}
	go func() { _ = server.Serve(listener) }() // ends at server.Close
	transport := &http.Transport{MaxIdleConnsPerHost: o.Concurrency + len(o.Accounts()), DialContext: dial}
	return Server{server, played}, Client{URL: "http://api.test", HTTP: &http.Client{Transport: transport, Timeout: o.Timeout}}
}
