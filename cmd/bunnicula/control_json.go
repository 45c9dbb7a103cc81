package main

import (
	"time"

	"github.com/bunnicula-go/bunnicula/control"
)

// The types below are what --json prints. A process has written their texts, and its clock their
// times.

type orderShown struct {
	ID       string     `json:"id"`
	Consumer string     `json:"consumer"`
	Order    string     `json:"order"` // paused, limited
	Limit    int        `json:"limit,omitempty"`
	Until    *time.Time `json:"until"` // null: until it is resumed
	At       *time.Time `json:"at"`
	By       string     `json:"by"`
	Why      string     `json:"why,omitempty"`
	Obeyed   *int       `json:"obeyed,omitempty"` // processes that obey
	Of       *int       `json:"of,omitempty"`     // processes that have the consumer
}

type processShown struct {
	ID         string        `json:"id"`
	Host       string        `json:"host"`
	PID        int           `json:"pid"`
	App        string        `json:"app,omitempty"`
	AppVersion string        `json:"app_version,omitempty"`
	Started    *time.Time    `json:"started"`
	Trouble    string        `json:"trouble,omitempty"` // why it may miss orders
	Consumers  []memberShown `json:"consumers"`
}

type memberShown struct {
	Consumer    string         `json:"consumer"`
	Queue       string         `json:"queue"`
	Partitions  string         `json:"partitions,omitempty"` // the queue that they are of
	Connection  string         `json:"connection,omitempty"`
	Concurrency int            `json:"concurrency"`
	Limit       int            `json:"limit"` // handlers at once at present
	Paused      bool           `json:"paused"`
	PausedByApp bool           `json:"paused_by_app"`
	Ready       bool           `json:"ready"`
	Subscribed  bool           `json:"subscribed"`
	Stuck       int            `json:"stuck"`
	OrderID     string         `json:"order_id,omitempty"` // the order that it obeys
	Error       string         `json:"error,omitempty"`
	Running     *int           `json:"running,omitempty"`
	Handlers    []handlerShown `json:"handlers,omitempty"` // 100 at most
}

type handlerShown struct {
	MessageID      string     `json:"message_id"`
	MessageIDGiven bool       `json:"message_id_given,omitempty"`
	Type           string     `json:"type,omitempty"`
	Attempt        int        `json:"attempt"`
	Since          *time.Time `json:"since"`
	Stuck          bool       `json:"stuck"`
	Stack          string     `json:"stack,omitempty"`
}

// showOrder shows an order with who obeys it.
func showOrder(o control.Order, h heed) orderShown {
	shown := showStanding(o)
	shown.Obeyed, shown.Of = &h.obeyed, &h.of
	return shown
}

func showStanding(o control.Order) orderShown {
	shown := orderShown{
		ID: o.ID, Consumer: o.Consumer, Order: "paused", Until: known(o.Until), At: known(o.At), By: o.By, Why: o.Why,
	}
	if !o.Paused {
		shown.Order, shown.Limit = "limited", o.Limit
	}
	return shown
}

// showProcess shows a process. handlers says that it was asked for what runs.
func showProcess(p control.Process, handlers bool) processShown {
	s := processShown{
		ID: p.ID, Host: p.Host, PID: p.PID, App: p.App, AppVersion: p.AppVersion, Started: known(p.Started), Trouble: p.Trouble,
		Consumers: []memberShown{},
	}
	for _, m := range p.Consumers {
		shown := memberShown{
			Consumer: m.Name, Queue: m.Queue, Partitions: m.Partitions, Connection: m.Connection, Concurrency: m.Concurrency, Limit: m.Limit,
			Paused: m.Paused, PausedByApp: m.PausedByApp, Ready: m.Ready, Subscribed: m.Subscribed, Stuck: m.Stuck, OrderID: m.OrderID, Error: m.Err,
		}
		if handlers {
			shown.Running = &m.RunningCount
			for _, h := range m.Running {
				shown.Handlers = append(shown.Handlers, handlerShown{h.MessageID, h.Given, h.Type, h.Attempt, known(h.Since), h.Stuck, h.Stack})
			}
		}
		s.Consumers = append(s.Consumers, shown)
	}
	return s
}

func showProcesses(all []control.Process, handlers bool) []processShown {
	shown := []processShown{}
	for _, p := range all {
		shown = append(shown, showProcess(p, handlers))
	}
	return shown
}
