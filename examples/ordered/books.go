package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// Payment is a message.
type Payment struct {
	Run      string // of this program: what an earlier one has left is not booked
	Customer string
	Number   int // the first one of a customer has 1
	Cents    int
}

// Payments returns 25 payments of each customer. Some are taken out again.
func Payments() (all []Payment) {
	run := rand.Text()
	for number := 1; number <= 25; number++ {
		for i, customer := range []string{"ada", "ben", "cleo", "dan", "eve", "finn", "gwen", "hal"} {
			all = append(all, Payment{run, customer, number, 100*i + 37*number%100 - 20})
		}
	}
	return all
}

// Books are the accounts of all customers.
type Books struct {
	Done chan struct{} // closed when all payments are booked
	want []Payment     // immutable

	mu       sync.Mutex // guards the rest
	accounts map[string]*account
	booked   int
}

// account is what was booked for one customer.
type account struct {
	last   int // the number of the last payment
	cents  int
	early  int // payments that came before the one before them
	twice  int // payments that came again, after a lost connection for example
	failed map[int]bool
}

// NewBooks returns the books in which these payments, and no others, are to be booked.
func NewBooks(want []Payment) *Books {
	b := &Books{Done: make(chan struct{}), want: want, accounts: map[string]*account{}}
	for _, p := range want {
		b.accounts[p.Customer] = &account{failed: map[int]bool{}}
	}
	return b
}

var errNoAnswer = errors.New("the bank does not answer")

// Book books one payment. Each seventh of a customer fails when it is tried for the first time.
func (b *Books) Book(_ context.Context, m consumer.Message[Payment]) consumer.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := m.Payload
	a := b.accounts[p.Customer]
	if a == nil || p.Run != b.want[0].Run {
		return consumer.Ack()
	}
	if p.Number%7 == 0 && !a.failed[p.Number] {
		a.failed[p.Number] = true
		return consumer.Retry(errNoAnswer)
	}
	switch {
	case p.Number <= a.last:
		a.twice++
		return consumer.Ack()
	case p.Number > a.last+1:
		a.early++
	}
	a.last = p.Number
	a.cents += p.Cents
	if b.booked++; b.booked == len(b.want) {
		close(b.Done)
	}
	return consumer.Ack()
}

// Account prints each customer's account. It returns an error if one does not add up.
func (b *Books) Account(w io.Writer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	type total struct{ last, cents int }
	want := map[string]total{}
	var customers []string
	for _, p := range b.want {
		if want[p.Customer].last == 0 {
			customers = append(customers, p.Customer)
		}
		want[p.Customer] = total{p.Number, want[p.Customer].cents + p.Cents}
	}
	wrong := 0
	for _, c := range customers {
		a, verdict := b.accounts[c], "in order"
		if a.early > 0 || (total{a.last, a.cents}) != want[c] {
			wrong++
			verdict = fmt.Sprintf("WRONG: want %d payments, %d cents; %d came before their turn", want[c].last, want[c].cents, a.early)
		}
		fmt.Fprintf(w, "%-5s %d payments, %d cents, %d failed once, %d came twice: %s\n", c, a.last, a.cents, len(a.failed), a.twice, verdict)
	}
	fmt.Fprintf(w, "%d of %d payments are booked\n", b.booked, len(b.want))
	if wrong > 0 {
		return fmt.Errorf("%d of %d accounts do not add up", wrong, len(customers))
	}
	return nil
}
