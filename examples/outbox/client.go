package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// orders are those of one run. Every tenth is for more than the credit.
func orders(o Options, run string) []Order {
	all := make([]Order, o.N)
	for i := range all {
		customer := fmt.Sprintf("customer-%d", i%20)
		all[i] = Order{ID: fmt.Sprintf("%s-%05d", run, i+1), Customer: customer, Email: customer + "@example.com", Cents: 100 + i%5000}
		if i%10 == 9 {
			all[i].Cents = credit + 1
		}
	}
	return all
}

// Wants is the answer that the order should get.
func (o Order) Wants() Answer {
	if o.Cents > credit {
		return Rejected
	}
	return Accepted
}

// Client places orders, and asks until it knows what became of each.
type Client struct {
	http     *http.Client
	address  func() string // of the service; "" while it is not known
	tally    *Tally
	happened func() // is called after each answer
}

// repeat is how long a client waits before it asks again.
const repeat = 20 * time.Millisecond

// placeAll places orders, so many a second, and several at once.
func (c Client) placeAll(ctx context.Context, all []Order, atOnce, rate int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan Order)
	var clients sync.WaitGroup
	for range atOnce {
		clients.Go(func() {
			for o := range queue {
				if err := c.place(ctx, o); err != nil {
					cancel(err)
				}
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for _, o := range all {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		select {
		case queue <- o:
		case <-ctx.Done():
		}
	}
	close(queue)
	clients.Wait()
	return context.Cause(ctx)
}

// place places one order. It is asked again under the same id, so it cannot be placed twice.
func (c Client) place(ctx context.Context, o Order) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	for began := time.Now(); ; {
		status, err := c.post(ctx, body)
		switch status {
		case http.StatusCreated, http.StatusOK:
			c.tally.Answered(o.ID, Accepted, status == http.StatusOK)
		case http.StatusUnprocessableEntity:
			c.tally.Answered(o.ID, Rejected, false)
		case 0, http.StatusServiceUnavailable:
			if time.Since(began) > enough {
				return fmt.Errorf("order %s: no answer for %s: %w", o.ID, enough, err)
			}
			if err := drill.Pause(ctx, repeat); err != nil {
				return err
			}
			continue
		default:
			return fmt.Errorf("order %s: %w", o.ID, err)
		}
		c.happened()
		return nil
	}
}

var errNotListening = errors.New("the service does not listen yet")

// post returns the status of the answer, which is 0 if there is none. The error describes one that
// is no success.
func (c Client) post(ctx context.Context, body []byte) (status int, err error) {
	address := c.address()
	if address == "" {
		return 0, errNotListening
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/orders", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	c.tally.Asked()
	answer, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // the status counts
	return answer.StatusCode, fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(text)))
}
