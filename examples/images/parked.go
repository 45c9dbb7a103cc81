package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Parked is a request in the error queue.
type Parked struct{ ID, Reason, Error string }

// readParked reads the error queue, leaves it as it is, and saves each picture in a folder: what
// has failed can still be looked at.
func readParked(ctx context.Context, o Options, b Broker, folder string, log *slog.Logger) (all []Parked, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	queue, err := errorqueue.Open(ctx, b.Conn(), errorqueue.Config{Queue: o.Queue()}, log)
	if err != nil {
		return nil, err
	}
	defer queue.Close(context.WithoutCancel(ctx))
	for m, err := range queue.List(ctx, errorqueue.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, Parked{m.ID, m.Reason, m.Error})
		if named(m.ID) != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, m.ID), m.Body, 0o600); err != nil {
			return nil, err
		}
	}
	return all, nil
}
