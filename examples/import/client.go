package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/use"
)

// Client asks the integration's API.
type Client struct {
	URL  string
	HTTP *http.Client // its Timeout is that of one request
}

// Page fetches one page of an account's list.
func (c Client) Page(ctx context.Context, job ListPage) (page api.Page, err error) {
	err = c.get(ctx, "/"+url.PathEscape(job.Account)+"/conversations?page="+strconv.Itoa(job.Page), &page)
	return page, err
}

// Conversation fetches one conversation.
func (c Client) Conversation(ctx context.Context, job ImportConversation) (conv api.Conversation, err error) {
	err = c.get(ctx, "/"+url.PathEscape(job.Account)+"/conversations/"+url.PathEscape(job.ID), &conv)
	return conv, err
}

// get returns errors that use.HTTPResult knows.
func (c Client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, nil)
	if err != nil {
		return err
	}
	res, err := c.HTTP.Do(req)
	if err := use.CheckResponse(res, err); err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
