package consumer

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// open opens the guard's channel if it has none. It returns whether there is one.
func (g *guard) open() bool {
	if g.from != nil && !g.from.IsClosed() {
		return true
	}
	g.close()
	from, err := g.c.openChannel(g.taking, g.link, g.fell.set)
	if errors.Is(err, transport.ErrNoChannel) && !g.told {
		g.told = true
		g.c.log.Error("messages in quarantine cannot be handled", "err", err)
	}
	if err != nil {
		return false // the session reports its own end
	}
	g.from = from
	return true
}

// refused follows a request over which the broker may have closed the channel. If no message was in
// hand, none came back, so this process has survived nothing by it. If there was one, the broker
// may have closed the channel over its ack. A refusal that somebody has to mend is told once.
func (g *guard) refused(why error) {
	var refused *amqp.Error
	if errors.As(why, &refused) && refused.Code == amqp.AccessRefused && !g.told {
		g.told = true
		g.c.log.Error("messages in quarantine cannot be handled", "err", why)
	}
	if len(g.took) > 0 {
		g.close()
		return
	}
	_, _ = g.from.close("close the guard's channel") // the request has failed, and that says enough
	g.from = nil
}

// close closes the channel, unless a message on it is unsettled and can still be settled.
func (g *guard) close() {
	if g.from == nil {
		return
	}
	if !g.from.IsClosed() && g.from.acks.Unsettled() > 0 && g.over.Err() == nil {
		return
	}
	// What is unsettled comes back, and the broker counts a return. The last ack may be lost with
	// the connection, or with a channel that the broker has closed.
	if g.link.Err() != nil || g.from.IsClosed() || g.from.acks.Unsettled() > 0 {
		for _, id := range g.took {
			g.c.gauges.survived.message(id)
		}
	}
	g.took = nil
	if _, err := g.from.close("close the guard's channel"); err != nil {
		g.c.log.Info("close the guard's channel", "err", err)
	}
	g.from = nil
}

// end waits until the message in hand is settled or the session is over. Then it closes the
// channel.
func (g *guard) end() {
	for g.from != nil && g.from.acks.InHand() > 0 && g.over.Err() == nil && g.link.Err() == nil && !g.from.IsClosed() {
		select {
		case <-g.fell:
		case <-g.over.Done():
		case <-g.link.Done():
		}
	}
	g.abort() // what is held does not keep the channel open
	g.close()
}
