// Package bank is an API of somebody else's, as a server on this machine: lists of accounts and of
// their transactions, as CSV. It is slow, and some of its answers fail.
package bank

import (
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Config says what a Bank has, and how it behaves.
type Config struct {
	Branches int
	Accounts int // of all branches
	Rows     int // transactions of the last account; others have fewer than 40
	Seed     uint64

	FailureRate float64 // share of the requests that fail
	Slow        bool    // answers take up to 20 ms, and 1 ms for each 100 rows
}

// Bank answers requests. What it has is made when it is asked for, so any number of transactions
// takes no memory.
type Bank struct {
	cfg    Config // immutable
	mux    *http.ServeMux
	faults faults

	served, refused, cut, hung atomic.Int64
}

// New makes a Bank.
func New(cfg Config) *Bank {
	b := &Bank{cfg: cfg, mux: http.NewServeMux(), faults: faults{seed: cfg.Seed, rate: cfg.FailureRate, asked: map[string]int{}}}
	b.mux.HandleFunc("GET /branches/{branch}/accounts.csv", b.accounts)
	b.mux.HandleFunc("GET /accounts/{account}/transactions.csv", b.transactions)
	return b
}

// Counts are what became of the requests.
type Counts struct{ Served, Refused, Cut, Hung int }

// Counts returns the counts so far.
func (b *Bank) Counts() Counts {
	return Counts{int(b.served.Load()), int(b.refused.Load()), int(b.cut.Load()), int(b.hung.Load())}
}

// accounts lists the accounts of a branch.
func (b *Bank) accounts(w http.ResponseWriter, r *http.Request) {
	branch, err := strconv.Atoi(r.PathValue("branch"))
	if err != nil || branch < 1 || branch > b.cfg.Branches {
		http.Error(w, "there is no such branch", http.StatusNotFound)
		return
	}
	out := begin(w, "account")
	for n := branch; n <= b.cfg.Accounts; n += b.cfg.Branches {
		_ = out.Write([]string{fmt.Sprintf("%06d", n)}) // Flush ends when the client is gone
	}
	out.Flush()
}

// transactions lists those of an account from the line "from" on, and "rows" of them at most.
func (b *Bank) transactions(w http.ResponseWriter, r *http.Request) {
	account, err1 := strconv.Atoi(r.PathValue("account"))
	from, err2 := strconv.Atoi(r.FormValue("from"))
	rows, err3 := strconv.Atoi(r.FormValue("rows"))
	switch err := errors.Join(err1, err2, err3); {
	case err != nil || from < 1 || rows < 1:
		http.Error(w, "from and rows are to be numbers from 1 on", http.StatusBadRequest)
		return
	case account < 1 || account > b.cfg.Accounts:
		http.Error(w, "there is no such account", http.StatusNotFound)
		return
	}
	out := begin(w, "line", "date", "cents", "text")
	for line := from; line < from+rows && line <= b.cfg.RowsOf(account); line++ {
		if err := out.Write(b.cfg.row(account, line)); err != nil {
			return // the client is gone
		}
		if b.cfg.Slow && line%100 == 0 {
			out.Flush()
			time.Sleep(time.Millisecond)
		}
	}
	out.Flush()
}

func begin(w http.ResponseWriter, columns ...string) *csv.Writer {
	w.Header().Set("Content-Type", "text/csv; header=present")
	out := csv.NewWriter(w)
	_ = out.Write(columns) // it is buffered
	return out
}

// RowsOf is how many transactions an account has.
func (c Config) RowsOf(account int) int {
	if account == c.Accounts {
		return c.Rows
	}
	return int(c.draw("rows", account, 0) % 40)
}

// row is one transaction.
func (c Config) row(account, line int) []string {
	n := c.draw("row", account, line)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(line) * time.Minute)
	return []string{strconv.Itoa(line), at.Format(time.DateOnly), strconv.Itoa(int(n%200_000) - 100_000), fmt.Sprintf(`to "%x", by card`, n)}
}

// draw is a number that the seed decides.
func (c Config) draw(what string, account, line int) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, c.Seed, " ", what, " ", account, " ", line)
	return h.Sum64()
}
