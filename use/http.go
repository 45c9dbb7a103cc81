package use

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// CheckResponse takes what an http.Client returned. It returns nil if the response is what the
// request asked for: its status is 2xx, or 304 or 101, which only come to who asks for them. Then
// the body is the caller's to read and to close. Otherwise it returns an error, and the body is
// read, up to 64 KiB, and closed, so that the connection can be used again. HTTPResult makes a
// Result of the error, also when the client has wrapped it.
//
//	res, err := client.Do(req)
//	if err := use.CheckResponse(res, err); err != nil {
//		return use.HTTPResult(err)
//	}
//	defer res.Body.Close()
//
// The error of a response is a *StatusError. That of a request without a response is err, whose
// texts name the URL without its query, its user and its fragment, since a parked message keeps the
// text and logs show it.
//
// It does not hide a secret in the path or the host of a URL, and does not keep the body: read what
// you need of it before. A server that sends the body of an error slowly takes the time of the
// request's context.
func CheckResponse(res *http.Response, err error) error {
	if err != nil {
		discard(res)
		return redact(err)
	}
	if res == nil {
		return errors.New("use: neither a response nor an error")
	}
	switch code := res.StatusCode; {
	case code >= 200 && code <= 299, code == http.StatusNotModified, code == http.StatusSwitchingProtocols:
		return nil
	}
	discard(res)
	method, url := target(res.Request)
	return &StatusError{Method: method, URL: url, Status: res.StatusCode, RetryAfter: retryAfter(res.Header, time.Now())}
}

// StatusError is a response whose status is not what the request asked for.
type StatusError struct {
	Method string // as GET
	URL    string // without query, user and fragment
	Status int    // as 503

	// RetryAfter is how long the server asks to wait, at most MaxRetryAfter. It is 0 if the server
	// says nothing that can be understood, or asks for no wait.
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: %d", e.Method, e.URL, e.Status)
	if name := http.StatusText(e.Status); name != "" {
		text += " " + name
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(", retry after %s", e.RetryAfter)
	}
	return text
}

// maxDiscarded is how much of a body is read so that its connection can be used again. To read more
// takes longer than a new connection.
const maxDiscarded = 64 << 10

// discard reads and closes the body of a response that nobody reads.
func discard(res *http.Response) {
	if res == nil || res.Body == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, res.Body, maxDiscarded+1) // one more, to see its end
	_ = res.Body.Close()
}

// target returns the method and the URL of a request as errors name them. A test's response may
// have no request.
func target(req *http.Request) (method, address string) {
	if req == nil {
		return "HTTP", "request"
	}
	return cmp.Or(req.Method, http.MethodGet), bare(req.URL)
}

// bare returns a URL without what may be secret.
func bare(u *url.URL) string {
	if u == nil {
		return "?"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
