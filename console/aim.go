package console

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

// aim is a queue into which messages are to go, as it is now.
type aim struct {
	Queue     string
	Messages  int
	Missing   bool
	Consumers *int // nil if the broker does not tell
	Versions  []string
	Denied    bool // the viewer may not move messages into it
}

const mostAims = 20 // that the broker is asked for

// aims asks the broker for queues, and for the versions of the apps that consume them, which only
// the management API knows. Of a queue that is denied nothing is asked, so that nothing is told.
func (b *broker) aims(ctx context.Context, all []aim) error {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	for i := range all[:min(len(all), mostAims)] {
		a := &all[i]
		if a.Denied {
			continue
		}
		count, err := b.inspect.Count(ctx, a.Queue)
		var said *amqp.Error
		switch {
		case err == nil:
			a.Consumers = &count.Consumers
		case errors.As(err, &said) && said.Code == amqp.NotFound:
			a.Missing = true
		case errors.As(err, &said): // a user who may not ask
		case ctx.Err() != nil:
			return err
		}
	}
	return b.versions(ctx, all)
}

// versions adds which versions consume the queues.
func (b *broker) versions(ctx context.Context, all []aim) error {
	if b.api == nil {
		return nil
	}
	peer, err := b.inspect.Peer(ctx)
	if err != nil {
		return err
	}
	connections, consumers, err := b.api.Connected(ctx, peer.VHost)
	if err != nil {
		return err
	}
	version := map[string]string{} // by the name of the connection
	for _, c := range connections {
		version[c.Name] = c.Properties.Text("app_version")
	}
	of := map[string]map[string]bool{}
	for _, c := range consumers {
		v := version[c.Channel.Connection]
		if v == "" {
			continue
		}
		if of[c.Queue.Name] == nil {
			of[c.Queue.Name] = map[string]bool{}
		}
		of[c.Queue.Name][v] = true
	}
	for i := range all {
		if all[i].Denied {
			continue
		}
		all[i].Versions = slices.Sorted(maps.Keys(of[all[i].Queue]))
	}
	return nil
}

// ways are the queues that belong to an error queue.
type ways struct{ main, archive string }

const archiveSuffix = "-archive" // as errorqueue.Discard makes the names of archives

// waysOf returns the queues of an error queue or an archive.
func (c Config) waysOf(queue string) ways {
	of, _ := errorQueueOf(c.Topology, queue)
	w := ways{main: of.Queue}
	if main, ok := strings.CutSuffix(queue, topology.ErrorQueue("")); ok && w.main == "" {
		w.main = main
	}
	w.archive = cmp.Or(w.main, queue) + archiveSuffix
	return w
}

// mayMoveInto says whether a viewer who may move the messages of an error queue may move them into
// a queue: it is that of the error queue's consumer, a partition of it, or the archive, or one to
// which the viewer has the right too. The headers of a message name its queue, and anybody can
// write them.
func (u User) mayMoveInto(target string, w ways) bool {
	main, _, is := topology.PartitionOf(target)
	switch target {
	case "", w.main, w.archive: // without a target a message goes nowhere
		return true
	}
	return is && main == w.main || u.may(Move, target) || u.may(Move, topology.ErrorQueue(target))
}
