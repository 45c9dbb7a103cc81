package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Door is the service over HTTP.
type Door struct {
	shop *Shop
	log  *slog.Logger
	mux  http.ServeMux
}

// NewDoor makes a Door.
func NewDoor(shop *Shop, log *slog.Logger) *Door {
	d := &Door{shop: shop, log: log}
	d.mux.HandleFunc("POST /orders", d.place)
	d.mux.HandleFunc("GET /orders/{id}", d.status)
	return d
}

// ServeHTTP implements http.Handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

// maxOrder is how many bytes an order may have.
const maxOrder = 64 << 10

// place answers 201 for an order that is placed, and 200 for one that had been before. 422 says
// that it is rejected, and that there is nothing of it. 503 says that it may be placed or not: ask
// again.
func (d *Door) place(w http.ResponseWriter, r *http.Request) {
	var o Order
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	in.DisallowUnknownFields()
	err := in.Decode(&o)
	if err == nil {
		err = o.Validate()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	isNew, err := d.shop.Place(r.Context(), o)
	switch {
	case errors.Is(err, ErrNoCredit):
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	case err != nil:
		d.log.Warn("order not placed", "order", o.ID, "err", err)
		http.Error(w, "the order may be placed or not: ask again", http.StatusServiceUnavailable)
	case isNew:
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// status tells how far an order is, from the rows of its job.
func (d *Door) status(w http.ResponseWriter, r *http.Request) {
	job, err := d.shop.Status(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, outbox.ErrUnknown):
		http.Error(w, "there is no such order", http.StatusNotFound)
	case err != nil:
		d.log.Warn("no status", "order", r.PathValue("id"), "err", err)
		http.Error(w, "ask again", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"complete":%t,"done":%d}`+"\n", job.Complete(), job.Done)
	}
}

// Listen answers requests while the app runs, and tells its address.
func Listen(lc fx.Lifecycle, o Options, door *Door, tell Teller) {
	server := &http.Server{Handler: door, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{}) // closed when Serve has returned, for which the stop waits
	lc.Append(fx.StartStopHook(func(ctx context.Context) error {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
		if err != nil {
			return fmt.Errorf("-listen: %w", err)
		}
		go func() {
			defer close(served)
			_ = server.Serve(listener) // until Shutdown
		}()
		tell(listening, listener.Addr().String())
		return nil
	}, func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		<-served
		return err
	}))
}
