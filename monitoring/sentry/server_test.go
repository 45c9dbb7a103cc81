package sentry_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/getsentry/sentry-go"
)

const (
	key    = "0123456789abcdef0123456789abcdef"
	secret = "fedcba9876543210fedcba9876543210"
)

// request is one request to Sentry: its headers, and the events of its envelope.
type request struct {
	header   http.Header
	envelope map[string]any
	events   []event
}

// event is an event as sentry-go decodes it, and its JSON.
type event struct {
	sdk.Event
	json string
}

// server accepts envelopes as Sentry does.
type server struct {
	*httptest.Server
	requests chan request
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{requests: make(chan request, 1000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the monitor was closed during the request
		}
		if r.Method != http.MethodPost || r.URL.Path != "/api/42/envelope/" {
			t.Errorf("%s %s; want POST /api/42/envelope/", r.Method, r.URL.Path)
		}
		envelope, events, err := parseEnvelope(body)
		if err != nil {
			t.Errorf("%v:\n%.2000s", err, body)
		}
		select {
		case s.requests <- request{r.Header, envelope, events}:
		default: // more events than a test looks at
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// dsn returns the address of the server's project, with a key and, like old ones, a secret.
func (s *server) dsn() string {
	return fmt.Sprintf("http://%s:%s@%s/42", key, secret, strings.TrimPrefix(s.URL, "http://"))
}

// next returns the next request with an event. Other requests report events that the client
// dropped.
func (s *server) next(t *testing.T) request {
	t.Helper()
	for {
		select {
		case r := <-s.requests:
			if len(r.events) > 0 {
				return r
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no event arrived")
		}
	}
}

// rest returns the events that have arrived and that no test has looked at.
func (s *server) rest() []event {
	var events []event
	for {
		select {
		case r := <-s.requests:
			events = append(events, r.events...)
		default:
			return events
		}
	}
}

// parseEnvelope reads a line of JSON, and then items: a line of JSON that says the
// length, and that many bytes.
func parseEnvelope(body []byte) (header map[string]any, events []event, err error) {
	in := bufio.NewReader(bytes.NewReader(body))
	if err := readLine(in, &header); err != nil {
		return nil, nil, fmt.Errorf("envelope header: %w", err)
	}
	for {
		var item struct {
			Type   string
			Length int
		}
		if err := readLine(in, &item); err == io.EOF {
			return header, events, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("item header: %w", err)
		}
		payload := make([]byte, item.Length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return nil, nil, fmt.Errorf("item of %d bytes: %w", item.Length, err)
		}
		if end, err := in.ReadByte(); err == nil && end != '\n' {
			return nil, nil, fmt.Errorf("item of %d bytes goes on with %q", item.Length, end)
		}
		if item.Type != "event" {
			continue
		}
		e := event{json: string(payload)}
		if err := json.Unmarshal(payload, &e.Event); err != nil {
			return nil, nil, fmt.Errorf("event: %w", err)
		}
		events = append(events, e)
	}
}

// readLine returns io.EOF only if nothing is left.
func readLine(in *bufio.Reader, into any) error {
	line, err := in.ReadBytes('\n')
	if len(bytes.TrimSpace(line)) == 0 && err == io.EOF {
		return io.EOF
	}
	return json.Unmarshal(line, into)
}

// newHangingServer accepts requests and never answers.
func newHangingServer(t *testing.T) *server {
	t.Helper()
	s := &server{requests: make(chan request, 1000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.requests <- request{header: r.Header}
		<-r.Context().Done() // until the client has gone away
	}))
	t.Cleanup(s.Close)
	return s
}
