package main

import (
	"fmt"
	"strconv"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// ListPage is the job that lists one page of an account's conversations.
type ListPage struct {
	Account string `json:"account"`
	Page    int    `json:"page"`
}

// ImportConversation is the job that imports one conversation.
type ImportConversation struct {
	Account string `json:"account"`
	ID      string `json:"id"`
}

// Message is the job as it is published. Its message id is the same each time.
func (j ListPage) Message(o Options, more ...publisher.Option) publisher.Message {
	id := j.Account + "-page-" + strconv.Itoa(j.Page)
	return publisher.Message{
		RoutingKey: o.HistoryQueue(), Payload: j,
		Options: append(more, publisher.MessageID(id), publisher.Type("ListPage")),
	}
}

// Message is the job as it is published. Its message id is the conversation's.
func (j ImportConversation) Message(o Options) publisher.Message {
	return publisher.Message{
		RoutingKey: o.ConversationQueue(), Payload: j,
		Options: []publisher.Option{publisher.MessageID(j.ID), publisher.Type("ImportConversation")},
	}
}

// Validate has a job parked that names no page.
func (j ListPage) Validate() error {
	if j.Account == "" || j.Page < 1 {
		return fmt.Errorf("account %q, page %d: want a name and a number from 1", j.Account, j.Page)
	}
	return nil
}

// Validate has a job parked that names no conversation.
func (j ImportConversation) Validate() error {
	if j.Account == "" || j.ID == "" {
		return fmt.Errorf("account %q, id %q: want both", j.Account, j.ID)
	}
	return nil
}

// listedAccount and importedAccount are the keys of the limit: the API counts the requests of each
// account.
func listedAccount(m consumer.Message[ListPage]) string             { return m.Payload.Account }
func importedAccount(m consumer.Message[ImportConversation]) string { return m.Payload.Account }
