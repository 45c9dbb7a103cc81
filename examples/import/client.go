package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
)

// Client asks the integration's API.
type Client struct {
	URL     string
	HTTP    *http.Client
	Timeout time.Duration // of one request
}

// Page fetches one page of the list.
func (c Client) Page(ctx context.Context, number int) (page api.Page, err error) {
	return page, c.get(ctx, "/conversations?page="+strconv.Itoa(number), &page)
}

// Conversation fetches one conversation.
func (c Client) Conversation(ctx context.Context, id string) (conv api.Conversation, err error) {
	return conv, c.get(ctx, "/conversations/"+url.PathEscape(id), &conv)
}

func (c Client) get(ctx context.Context, path string, into any) error {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodGet, c.URL+path, nil)
	if err != nil {
		return err
	}
	res, err := c.HTTP.Do(req)
	if limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("GET %s: no answer within %s", path, c.Timeout)
	}
	if err != nil {
		return err
	}
	defer func() {
		_, _ = io.Copy(io.Discard, res.Body) // so that the connection can be used again
		_ = res.Body.Close()
	}()
	if res.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // 0 if the header is missing
		return &StatusError{Path: path, Status: res.StatusCode, RetryAfter: time.Duration(seconds) * time.Second}
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// StatusError is an answer that is not 200.
type StatusError struct {
	Path       string
	Status     int
	RetryAfter time.Duration // 0 if the API did not say
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("GET %s: %d %s", e.Path, e.Status, http.StatusText(e.Status))
}

// Result is what the job returns whose request got this answer.
func (e *StatusError) Result() consumer.Result {
	switch e.Status {
	case http.StatusTooManyRequests:
		return consumer.Snooze(max(e.RetryAfter, time.Second)) // it uses no attempt
	case http.StatusNotFound, http.StatusUnauthorized:
		return consumer.Error(e) // a retry would get the same answer
	}
	return consumer.Retry(e)
}
