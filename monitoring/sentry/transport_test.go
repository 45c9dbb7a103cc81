package sentry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A connection that is made after the Monitor was closed would stay open for a minute.
func TestNoConnectionIsMadeAfterClosing(t *testing.T) {
	closing, abort := context.WithCancelCause(t.Context())
	a := newAbortable(nil, closing)
	dialed := make(chan struct{}, 1)
	a.own.DialContext = func(context.Context, string, string) (net.Conn, error) {
		dialed <- struct{}{}
		return nil, errors.New("dialed")
	}
	abort(errClosed)
	for range 100 {
		req, err := http.NewRequest(http.MethodPost, "http://sentry.invalid/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.RoundTrip(req); !errors.Is(err, errClosed) {
			t.Fatalf("RoundTrip: %v; want errClosed", err)
		}
	}
	select {
	case <-dialed:
		t.Error("a closed Monitor dialed")
	case <-time.After(50 * time.Millisecond):
	}
}

// The request begins, its dial is in progress, and then the Monitor is closed.
func TestAConnectionThatComesTooLateIsClosed(t *testing.T) {
	closing, abort := context.WithCancelCause(t.Context())
	a := newAbortable(nil, closing)
	dialing, late := make(chan struct{}), make(chan struct{})
	ours, theirs := net.Pipe()
	a.own.DialContext = func(context.Context, string, string) (net.Conn, error) {
		close(dialing)
		<-late
		return ours, nil
	}
	ended := make(chan error)
	go func() {
		req, err := http.NewRequest(http.MethodPost, "http://sentry.invalid/", strings.NewReader("{}"))
		if err == nil {
			_, err = a.RoundTrip(req)
		}
		ended <- err
	}()
	<-dialing
	abort(errClosed)
	if err := <-ended; !errors.Is(err, errClosed) {
		t.Errorf("RoundTrip: %v; want errClosed", err)
	}
	close(late)
	_ = theirs.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := theirs.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the late connection: %v; want it closed", err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
