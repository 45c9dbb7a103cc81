package main

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"

	"github.com/bunnicula-go/bunnicula/examples/flatmap/bank"
)

// Wanted is how many messages each stage is to handle: what the progress says in the end.
type Wanted struct{ Branches, Statements, Rows int }

func (w Wanted) all() int { return w.Branches + w.Statements + w.Rows }

// plain does the same work with three loops: one process, no queue, and a bank without a fault. It
// says what the job is to come to.
func plain(ctx context.Context, o Options) (Wanted, error) {
	at, stop, err := serve(bank.New(o.bank(true)))
	if err != nil {
		return Wanted{}, err
	}
	defer stop()
	o.Bank = at
	c := NewClient(o)
	defer c.Close()
	db, err := open(o.plainFile())
	if err != nil {
		return Wanted{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return Wanted{}, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return Wanted{}, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	w := Wanted{Branches: o.Branches}
	for branch := 1; branch <= o.Branches; branch++ {
		for account, err := range c.Accounts(ctx, branch) {
			if err != nil {
				return w, err
			}
			rows, err := save(ctx, c, tx, Statement{Account: account, From: 1}, o.Rows+40)
			if err != nil {
				return w, err
			}
			w.Rows += rows
			w.Statements += 1 + rows/o.Page // with the continuations
		}
	}
	return w, tx.Commit()
}

func save(ctx context.Context, c Client, tx *sql.Tx, s Statement, most int) (rows int, err error) {
	for row, err := range c.Transactions(ctx, s, most) {
		if err == nil {
			err = insert(ctx, tx, row)
		}
		if err != nil {
			return rows, err
		}
		rows++
	}
	return rows, nil
}

// serve has a bank answer on this machine. stop ends its answers.
func serve(b *bank.Bank) (at string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: b, ReadHeaderTimeout: patience}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // returns when it is closed
	}()
	return "http://" + l.Addr().String(), func() { _ = server.Close(); <-ended }, nil
}
