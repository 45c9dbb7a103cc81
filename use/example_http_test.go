package use_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/use"
)

// A client returns what went wrong as an error, wraps it as it likes, and its handler makes a
// Result of it.
func ExampleCheckResponse() {
	status := http.StatusOK
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "30")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"name": "Ada"}`))
	}))
	defer api.Close()

	type customer struct{ Name string }
	fetch := func(ctx context.Context, id string) (c customer, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.URL+"/customers/"+id+"?token=hunter2", nil)
		if err != nil {
			return c, err
		}
		res, err := api.Client().Do(req)
		if err := use.CheckResponse(res, err); err != nil {
			return c, fmt.Errorf("customer %s: %w", id, err)
		}
		defer func() { _ = res.Body.Close() }()
		return c, json.NewDecoder(res.Body).Decode(&c)
	}
	handle := func(ctx context.Context, id string) consumer.Result {
		c, err := fetch(ctx, id)
		if err != nil {
			return use.HTTPResult(err)
		}
		fmt.Println("stored", c.Name)
		return consumer.Ack()
	}

	for _, status = range []int{http.StatusOK, http.StatusTooManyRequests, http.StatusNotFound} {
		r := handle(context.Background(), "7")
		fmt.Println("acked:", r.Acked(), "waits:", r.Delay(), "parked:", r.Errored())
	}
	// Output:
	// stored Ada
	// acked: true waits: 0s parked: false
	// acked: false waits: 30s parked: false
	// acked: false waits: 0s parked: true
}

func ExampleHTTPResult() {
	for _, err := range []*use.StatusError{
		{Method: "GET", URL: "https://api.test/orders", Status: http.StatusTooManyRequests},
		{Method: "GET", URL: "https://api.test/orders", Status: http.StatusForbidden},
		{Method: "PUT", URL: "https://api.test/orders", Status: http.StatusBadGateway},
	} {
		fmt.Println(use.HTTPResult(err))
	}
	// Output:
	// Snooze(10s, GET https://api.test/orders: 429 Too Many Requests)
	// Error(GET https://api.test/orders: 403 Forbidden)
	// Retry(PUT https://api.test/orders: 502 Bad Gateway)
}
