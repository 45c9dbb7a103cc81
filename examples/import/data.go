package main

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
)

// The accounts whose conversations are imported.
const (
	bigAccount   = "acme"
	smallAccount = "corner-shop"
)

// Accounts are the names of the accounts, the big one first.
func (o Options) Accounts() []string {
	if o.Small == 0 {
		return []string{bigAccount}
	}
	return []string{bigAccount, smallAccount}
}

// account makes the account of a name.
func (o Options) account(name string) api.Account {
	n := o.Conversations
	if name == smallAccount {
		n = o.Small
	}
	a := api.Account{Name: name}
	for i, m := range messages()[:n] {
		a.Conversations = append(a.Conversations, api.Conversation{
			Account: name, ID: fmt.Sprintf("%s-%04d", name, i+1), Topic: m.topic, Text: m.text,
		})
	}
	return a
}

// BANKING77, see testdata/banking77/README.md.
//
//go:embed testdata/banking77/messages.csv
var banking77 string

type message struct{ text, topic string }

// messages are what customers wrote. Conversations are made of them.
var messages = sync.OnceValue(func() []message {
	rows, err := csv.NewReader(strings.NewReader(banking77)).ReadAll()
	if err != nil {
		panic(err) // the file is compiled in
	}
	all := make([]message, 0, len(rows))
	for _, row := range rows[1:] {
		all = append(all, message{row[0], row[1]})
	}
	return all
})
