package use_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

// answer is the response of a server to a GET with secrets in its URL.
func answer(t *testing.T, status int, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secretURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Request: req, Body: io.NopCloser(strings.NewReader("body"))}
}

const (
	secretURL = "https://user:hunter2@api.test/v1/orders?token=hunter2#hunter2"
	shownURL  = "https://api.test/v1/orders"
)

func TestEachStatusHasItsResult(t *testing.T) {
	const retry, snooze, fault, goesOn = "Retry", "Snooze", "Error", "Ack"
	for _, c := range []struct {
		status     int
		retryAfter string
		want       string
		delay      time.Duration
	}{
		{200, "", goesOn, 0},
		{204, "", goesOn, 0},
		{299, "", goesOn, 0},
		{101, "", goesOn, 0},
		{304, "", goesOn, 0},
		{200, "7", goesOn, 0},
		{302, "", fault, 0},
		{302, "7", fault, 0},
		{400, "", fault, 0},
		{401, "", fault, 0},
		{403, "", fault, 0},
		{403, "7", "RetryAfter", 7 * time.Second},
		{404, "", fault, 0},
		{408, "", retry, 0},
		{409, "", retry, 0},
		{410, "", fault, 0},
		{412, "", retry, 0},
		{413, "", fault, 0},
		{413, "7", "RetryAfter", 7 * time.Second},
		{421, "", retry, 0},
		{422, "", fault, 0},
		{423, "", retry, 0},
		{425, "", retry, 0},
		{425, "7", "RetryAfter", 7 * time.Second},
		{428, "", fault, 0},
		{429, "", snooze, 10 * time.Second},
		{429, "7", snooze, 7 * time.Second},
		{429, "0", snooze, 10 * time.Second},
		{451, "", fault, 0},
		{500, "", retry, 0},
		{500, "7", "RetryAfter", 7 * time.Second},
		{501, "", fault, 0},
		{502, "", retry, 0},
		{503, "", retry, 0},
		{503, "0", retry, 0},
		{503, "7", snooze, 7 * time.Second},
		{504, "", retry, 0},
		{505, "", fault, 0},
		{599, "", retry, 0},
		{600, "", retry, 0},
		{0, "", retry, 0},
	} {
		res := answer(t, c.status)
		if c.retryAfter != "" {
			res.Header.Set("Retry-After", c.retryAfter)
		}
		err := use.CheckResponse(res, nil)
		for name, err := range map[string]error{"as it is": err, "wrapped": wrapped(err)} {
			got := use.HTTPResult(err)
			kind, _, _ := strings.Cut(got.String(), "(")
			if kind != c.want || got.Delay() != c.delay || got.Err() != err {
				t.Errorf("%d with Retry-After %q, %s: got %v, want %s of %s", c.status, c.retryAfter, name, got, c.want, c.delay)
			}
		}
	}
}

// wrapped is an error as clients return it.
func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sync order 7: %w", err)
}

func TestRetryAfterIsUnderstoodInBothFormsAndBounded(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		header, date string
		want         time.Duration
	}{
		{"120", "", 2 * time.Minute},
		{" 120 ", "", 2 * time.Minute},
		{"0.25", "", 250 * time.Millisecond},
		{"1.", "", time.Second},
		{"0", "", 0},
		{"-5", "", 0},
		{"", "", 0},
		{"soon", "", 0},
		{"5s", "", 0},
		{"1e3", "", 0},
		{"NaN", "", 0},
		{"Inf", "", 0},
		{"0x10", "", 0},
		{"1.2.3", "", 0},
		{".", "", 0},
		{"86401", "", use.MaxRetryAfter},
		{"99999999999999999999999", "", use.MaxRetryAfter},
		{strings.Repeat("9", 400), "", use.MaxRetryAfter},
		{at(time.Hour), at(0), time.Hour},
		{at(-time.Hour), at(-2 * time.Hour), time.Hour}, // the server's clock is slow
		{at(100 * time.Hour), at(99 * time.Hour), time.Hour},
		{at(0), at(time.Hour), 0},
		{at(99 * time.Hour), at(0), use.MaxRetryAfter},
		{"Wed, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", use.MaxRetryAfter},
		{"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:07 1994", 30 * time.Second},
		{at(time.Hour), "yesterday", 0}, // of our clock: below
	} {
		res := answer(t, 429, "Retry-After", c.header)
		if c.date != "" {
			res.Header.Set("Date", c.date)
		}
		var status *use.StatusError
		if err := use.CheckResponse(res, nil); !errors.As(err, &status) {
			t.Fatalf("got %v", err)
		}
		got := status.RetryAfter
		if c.date == "yesterday" {
			if got < 59*time.Minute || got > time.Hour {
				t.Errorf("without a Date that can be read: got %s, want about an hour", got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("Retry-After %q, Date %q: got %s, want %s", c.header, c.date, got, c.want)
		}
	}
}

func TestAStatusErrorSaysWhichRequestGotWhichStatus(t *testing.T) {
	err := use.CheckResponse(answer(t, 503, "Retry-After", "7"), nil)
	if got, want := err.Error(), "GET "+shownURL+": 503 Service Unavailable, retry after 7s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var status *use.StatusError
	if !errors.As(wrapped(err), &status) || *status != (use.StatusError{"GET", shownURL, 503, 7 * time.Second}) {
		t.Errorf("got %+v", status)
	}
	if got, want := use.CheckResponse(&http.Response{StatusCode: 700}, nil).Error(), "HTTP request: 700"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := use.CheckResponse(nil, nil); err == nil {
		t.Error("neither a response nor an error is taken for a success")
	}
}

func TestNoTextOfAFailedRequestHasASecret(t *testing.T) {
	refused := &url.Error{Op: "Get", URL: secretURL, Err: errors.New("connection refused")}
	odd := &url.Error{Op: "Get", URL: `https://api.test/v1/orders?a="hunter2"`, Err: io.EOF}
	_, parse := url.Parse("https://user:hunter2@api.test/%zz?token=hunter2") //nolint:staticcheck // as wanted
	_, port := url.Parse("https://user:hunter2#@api.test/")                  //nolint:staticcheck // as wanted
	location := &url.Error{Op: "Get", URL: shownURL, Err: fmt.Errorf("failed to parse Location header %q: %w", "%zz?hunter2", io.EOF)}
	long := strings.Repeat("x", 64<<10-30)
	proxy := &url.Error{Op: "Get", URL: shownURL, Err: fmt.Errorf("invalid proxy address %q: %w", "http://user:hunter2@", io.EOF)}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"bare":        {refused, `Get "` + shownURL + `": connection refused`},
		"wrapped":     {wrapped(refused), `sync order 7: Get "` + shownURL + `": connection refused`},
		"quoted":      {fmt.Errorf("GET %s: %w", odd.URL, odd), `GET ` + shownURL + `: Get "` + shownURL + `": EOF`},
		"joined":      {errors.Join(refused, odd), `Get "` + shownURL + "\": connection refused\nGet \"" + shownURL + `": EOF`},
		"nested":      {&url.Error{Op: "Get", URL: secretURL, Err: refused}, `Get "` + shownURL + `": Get "` + shownURL + `": connection refused`},
		"unparseable": {parse, `parse "": the URL cannot be parsed`},
		"port":        {port, `parse "": the URL cannot be parsed`},
		"location":    {location, `Get "` + shownURL + `": failed to parse Location header`},
		"proxy":       {proxy, `Get "` + shownURL + `": invalid proxy address`},
		"marked":      {consumer.Permanent(wrapped(refused)), `sync order 7: Get "` + shownURL + `": connection refused`},
		"long":        {fmt.Errorf("%s: %w", long, refused), long + `: Get "` + shownURL + `": connection refused`},
		"other":       {io.EOF, "EOF"},
	} {
		checked := use.CheckResponse(nil, c.err)
		for how, err := range map[string]error{
			"CheckResponse": checked, "HTTPResult": use.HTTPResult(c.err).Err(), "both": use.HTTPResult(checked).Err(),
		} {
			if err.Error() != c.want {
				t.Errorf("%s by %s:\n got %s\nwant %s", name, how, err, c.want)
			}
			for _, e := range chain(err) {
				if strings.Contains(e.Error(), "hunter2") {
					t.Errorf("%s by %s: %T in the chain says %q", name, how, e, e)
				}
			}
		}
	}
}

// Whatever the secret is made of, and whatever the client writes around the error.
func TestNoURLShowsItsSecretsWhateverTheyLookLike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[ -~]{0,6}hunter2[ -~]{0,6}`)
		address := rapid.SampledFrom([]string{
			"https://api.test/v1?" + secret.Draw(t, "query"),
			"https://api.test/v1#" + secret.Draw(t, "fragment"),
			"https://user:" + secret.Draw(t, "password") + "@api.test/v1",
			"https://" + secret.Draw(t, "user") + "@api.test/v1",
			"//hunter2@api.test/?hunter2",
		}).Draw(t, "url")
		if u, err := url.Parse(address); err == nil && strings.Contains(u.Host+u.Path, "hunter2") {
			t.Skip("a host or a path, which are shown")
		}
		var err error = &url.Error{Op: "Get", URL: address, Err: io.EOF}
		for range rapid.IntRange(0, 3).Draw(t, "wrappers") {
			format := rapid.SampledFrom([]string{"sync: %w", "GET %[2]s: %[1]w", "GET %[2]q: %[1]w", "%w (%[2]s)"}).Draw(t, "wrapper")
			err = fmt.Errorf(format, err, address)
		}
		for _, e := range chain(use.HTTPResult(use.CheckResponse(nil, err)).Err()) {
			if strings.Contains(e.Error(), "hunter2") {
				t.Fatalf("%T says %q", e, e)
			}
		}
	})
}

// chain returns an error and all that it unwraps to.
func chain(err error) []error {
	all := []error{err}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, chain(inner)...)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			all = append(all, chain(inner)...)
		}
	}
	return all
}

// ourError is the error type of a client.
type ourError struct {
	code int
	error
}

func (e *ourError) Unwrap() error { return e.error }

func TestAFailedRequestKeepsWhatItsErrorIs(t *testing.T) {
	cause := &ourError{7, &url.Error{Op: "Get", URL: secretURL, Err: io.ErrUnexpectedEOF}}
	err := use.HTTPResult(fmt.Errorf("sync: %w", cause)).Err()
	var ours *ourError
	if !errors.As(err, &ours) || ours.code != 7 {
		t.Error("the client's own error is not found in it")
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the innermost error is not found in it")
	}
	var request *url.Error
	if !errors.As(err, &request) || request.URL != shownURL {
		t.Errorf("the *url.Error is %+v, want the URL %s", request, shownURL)
	}
}

func TestErrorsWithoutAResponseHaveTheirResult(t *testing.T) {
	deadline := &url.Error{Op: "Get", URL: secretURL, Err: context.DeadlineExceeded}
	stopped := &url.Error{Op: "Get", URL: secretURL, Err: consumer.ErrStopping}
	var none *ourError
	var noURL *url.Error
	_, parse := url.Parse("%zz") //nolint:staticcheck // as wanted
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"none":                 {nil, "Ack"},
		"deadline":             {deadline, "Timeout"},
		"wrapped deadline":     {wrapped(deadline), "Timeout"},
		"deadline of a socket": {wrapped(&url.Error{Op: "Get", URL: "/", Err: errTimeout{}}), "Timeout"},
		"stopped":              {stopped, "Retry"},
		"canceled":             {wrapped(context.Canceled), "Retry"},
		"refused":              {errors.New("connection refused"), "Retry"},
		"parse":                {wrapped(parse), "Error"},
		"Permanent":            {consumer.Permanent(deadline), "Error"},
		"After":                {consumer.After(time.Second, deadline), "RetryAfter"},
		"SnoozeFor":            {consumer.SnoozeFor(time.Second), "Snooze"},
		"typed nil":            {none, "Retry"},
		"typed nil *url.Error": {noURL, "Retry"},
	} {
		if kind, _, _ := strings.Cut(use.HTTPResult(c.err).String(), "("); kind != c.want {
			t.Errorf("%s: got %s, want %s", name, kind, c.want)
		}
	}
}

type errTimeout struct{}

func (errTimeout) Error() string { return "i/o timeout" }
func (errTimeout) Timeout() bool { return true }

func TestAClientsOwnTimeoutIsATimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	client := server.Client()
	client.Timeout = 20 * time.Millisecond
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/?token=hunter2", nil)
	res, err := client.Do(req)
	err = use.CheckResponse(res, err)
	if r := use.HTTPResult(err); !strings.HasPrefix(r.String(), `Timeout(Get "`+server.URL+`/": context deadline exceeded`) {
		t.Errorf("got %v", r)
	}
}

func TestTheConnectionOfAFailureIsUsedAgainAndASuccessKeepsItsBody(t *testing.T) {
	size := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fine" {
			_, _ = io.WriteString(w, "fine")
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, strings.Repeat("x", size))
	}))
	defer server.Close()
	get := func(path string) (reused bool, res *http.Response, err error) {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused },
		})
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		res, err = server.Client().Do(req)
		return reused, res, use.CheckResponse(res, err)
	}
	for _, c := range []struct {
		size   int
		reused bool
	}{{0, true}, {2048, true}, {64 << 10, true}, {8 << 20, false}} {
		size = c.size
		server.Client().CloseIdleConnections()
		if _, _, err := get("/fail"); err == nil {
			t.Fatal("a 500 is no error")
		}
		reused, res, err := get("/fine")
		if err != nil || reused != c.reused {
			t.Errorf("after a body of %d bytes: reused %t, %v; want %t", c.size, reused, err, c.reused)
		}
		if body, err := io.ReadAll(res.Body); string(body) != "fine" || err != nil {
			t.Errorf("the body of a success is %q, %v", body, err)
		}
		_ = res.Body.Close()
	}
}

// A handler returns HTTPResult whatever has ended its request.
func TestARequestThatTheConsumerEndsIsInterruptedOrTimesOut(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	q := consumertest.New(t, consumer.Spec{
		Queue: "orders", Timeout: 50 * time.Millisecond,
		Handler: func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			res, err := server.Client().Do(req)
			return use.HTTPResult(wrapped(use.CheckResponse(res, err)))
		},
	})
	q.Deliver("x").AssertRetriedFor(monitoring.ReasonTimeout, time.Minute)
	q.Deliver("x", consumertest.StopAfter(10*time.Millisecond)).AssertInterrupted()
}

// Transports that try again, for example, name the URL in their errors.
func TestAnErrorOfATransportThatNamesTheURLShowsNoSecret(t *testing.T) {
	const whole = "https://user:***@api.example.com/orders?token=secret" // as http.Client writes it
	for name, inner := range map[string]error{
		"the URL":             errors.New("GET " + whole + " giving up after 5 attempts"),
		"with its own hiding": errors.New("GET https://user:xxxxx@api.example.com/orders?token=secret giving up"),
		"late":                fmt.Errorf("GET %q: %w", whole, context.DeadlineExceeded),
	} {
		err := use.CheckResponse(nil, &url.Error{Op: "Get", URL: whole, Err: inner})
		if text := err.Error(); strings.Contains(text, "secret") || !strings.Contains(text, "api.example.com/orders") {
			t.Errorf("%s: the error is %q", name, text)
		}
		if unwrapped := fmt.Sprint(errors.Unwrap(err)); strings.Contains(unwrapped, "secret") {
			t.Errorf("%s: it unwraps to %q", name, unwrapped)
		}
		if !errors.Is(err, inner) || use.HTTPResult(err).TimedOut() != (name == "late") {
			t.Errorf("%s: %v comes to %v", name, err, use.HTTPResult(err))
		}
	}
}
