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
	closing context.Context
}

func newAbortable(next http.RoundTripper, closing context.Context) abortable {
	if next == nil {
		own := &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        2,
			IdleConnTimeout:     time.Minute,
			TLSHandshakeTimeout: 10 * time.Second,
		}
		context.AfterFunc(closing, own.CloseIdleConnections)
		next = own
	}
	return abortable{next, closing}
}

// RoundTrip makes a request. It ends with closing until the body of its response is closed.
func (a abortable) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(a.closing, func() { cancel(context.Cause(a.closing)) })
	release := func() {
		stop()
		cancel(nil)
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
	defer r.release()
	return r.ReadCloser.Close()
}
