package main

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
)

// BANKING77, see testdata/banking77/README.md.
//
//go:embed testdata/banking77/messages.csv
var banking77 string

// messages are the texts of all conversations.
var messages = sync.OnceValue(func() []api.Conversation {
	rows, err := csv.NewReader(strings.NewReader(banking77)).ReadAll()
	if err != nil {
		panic(err) // the file is compiled in
	}
	all := make([]api.Conversation, 0, len(rows))
	for i, row := range rows[1:] {
		all = append(all, api.Conversation{ID: fmt.Sprintf("c-%04d", i+1), Text: row[0], Topic: row[1]})
	}
	return all
})
