package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/use"
)

// Client reads the lists of the bank while they come: no list is ever whole in memory.
type Client struct {
	http *http.Client
	bank string // the URL
}

// silence is how long the bank may say nothing before it answers.
const silence = time.Second

// NewClient makes a Client.
func NewClient(o Options) Client {
	return Client{&http.Client{Transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: silence}).DialContext,
		ResponseHeaderTimeout: silence,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       5 * time.Second,
	}}, o.Bank}
}

// Close ends the connections that no request uses.
func (c Client) Close() { c.http.CloseIdleConnections() }

// Accounts yields the accounts of a branch. The last may be an error.
func (c Client) Accounts(ctx context.Context, branch int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for record, err := range c.list(ctx, fmt.Sprintf("/branches/%d/accounts.csv", branch), 1) {
			if err != nil {
				yield("", err)
				return
			}
			if !yield(record[0], nil) {
				return
			}
		}
	}
}

// Transactions yields the rows of a statement, some of them at most. The last may be an error.
func (c Client) Transactions(ctx context.Context, s Statement, most int) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for record, err := range c.list(ctx, fmt.Sprintf("/accounts/%s/transactions.csv?from=%d&rows=%d", s.Account, s.From, most), 4) {
			if err != nil {
				yield(Row{}, err)
				return
			}
			line, err1 := strconv.Atoi(record[0])
			cents, err2 := strconv.Atoi(record[2])
			row := Row{Account: s.Account, Line: line, Date: record[1], Cents: cents, Text: record[3]}
			if !yield(row, errors.Join(err1, err2)) {
				return
			}
		}
	}
}

// list yields the records of a list without its head. An answer that ends early is an error,
// because HTTP says where a body ends. The yielded slice is used again.
func (c Client) list(ctx context.Context, path string, columns int) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.bank+path, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		answer, err := c.http.Do(request)
		if err := use.CheckResponse(answer, err); err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		in := csv.NewReader(answer.Body)
		in.FieldsPerRecord, in.ReuseRecord = columns, true
		for head := true; ; head = false {
			record, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", path, err))
				return
			}
			if !head && !yield(record, nil) {
				return
			}
		}
	}
}
