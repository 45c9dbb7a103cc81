package sentry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

var errClosed = errors.New("sentry: closed")

// abortable makes requests that end when closing ends, so that Close need not wait for a server
// that does not answer. sentry-go gives its requests half a minute.
type abortable struct {
	next    http.RoundTripper
	own     *http.Transport // next, when this package made it
	closing context.Context
}

func newAbortable(next http.RoundTripper, closing context.Context) abortable {
	if next != nil {
		return abortable{next: next, closing: closing}
	}
	own := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        2,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: 10 * time.Second,
	}
	context.AfterFunc(closing, own.CloseIdleConnections)
	return abortable{next: own, own: own, closing: closing}
}

// RoundTrip makes a request. It ends with closing until the body of its response is closed. After
// closing it makes none: sentry-go has a last report to send when its client is closed.
func (a abortable) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.closing.Err() != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, context.Cause(a.closing)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(a.closing, func() { cancel(context.Cause(a.closing)) })
	release := func() {
		stop()
		cancel(nil)
		if a.own != nil && a.closing.Err() != nil {
			// A request makes its transport keep idle connections again.
			a.own.CloseIdleConnections()
		}
	}
	resp, err := a.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = releasing{resp.Body, release}
	return resp, nil
}

// releasing is a body that calls release when it is closed.
type releasing struct {
	io.ReadCloser
	release func()
}

func (r releasing) Close() error {
	defer r.release() // when the connection is idle
	return r.ReadCloser.Close()
}
