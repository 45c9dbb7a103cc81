package sending

import (
	"context"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// sort decides what becomes of the messages whose channel ended before their confirm.
// Most are sent again. But when the broker closed the channel because of what somebody
// sent, one of them may be at fault, and would close the next channel too. Each
// that may be the one is sent alone, on a channel of its own, and the one that closes
// that fails.
func (s *Pipeline) sort(unknown []*Message, cause *amqp.Error) {
	if !blamed(cause) {
		s.again = append(unknown, s.again...)
		return
	}
	var innocent []*Message
	suspects := suspects(unknown, cause)
	for _, m := range unknown {
		if !suspects[m] {
			innocent = append(innocent, m)
		}
	}
	s.again = append(innocent, s.again...)
	link := s.link
	if wholeConnection(cause) { // on one that nobody else uses, so that who closes it is known
		link = s.conn.Dedicated("publish one message alone")
		defer hangUp(link)
	}
	for _, m := range unknown {
		if suspects[m] {
			s.alone(m, link, len(suspects) == 1, cause)
		}
	}
}

// alone sends m by itself until its fate is known.
func (s *Pipeline) alone(m *Message, link transport.Link, only bool, cause *amqp.Error) {
	if only && !wholeConnection(cause) {
		s.leave(m, &RefusedError{cause.Code, cause.Reason})
		return
	}
	for {
		session, err := link.Session(s.ctx)
		if err != nil {
			if s.ctx.Err() != nil {
				s.again = append(s.again, m)
				return
			}
			s.giveUp(m, err)
			return
		}
		var unknown []*Message
		unknown, cause, err = s.channel(session, m)
		switch {
		case len(unknown) == 0:
			return
		case s.ctx.Err() != nil:
			s.again = append(s.again, m)
			return
		case err == nil && cause == nil: // we closed it, guilty is over
			s.again = append(s.again, m)
			return
		case err != nil || !blamed(cause):
			backoff.Wait(s.ctx, 100*time.Millisecond)
			continue
		case wholeConnection(cause) && link == s.link: // somebody else's channel may have ended it
			s.sort([]*Message{m}, cause)
			return
		}
		s.leave(m, &RefusedError{cause.Code, cause.Reason})
		return
	}
}

func hangUp(l transport.Link) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	l.Close(ctx)
}

// blamed says whether the broker ended the channel or connection for what was sent on it.
func blamed(cause *amqp.Error) bool {
	if cause == nil || !cause.Server {
		return false
	}
	switch cause.Code {
	case amqp.AccessRefused, amqp.NotFound, amqp.PreconditionFailed:
		return true
	}
	return wholeConnection(cause)
}

func wholeConnection(cause *amqp.Error) bool {
	return cause != nil && (cause.Code == amqp.FrameError || cause.Code == amqp.SyntaxError)
}

// suspects narrows the search by what the broker says: a 403 or 404 names the exchange.
func suspects(unknown []*Message, cause *amqp.Error) map[*Message]bool {
	named, all := map[*Message]bool{}, map[*Message]bool{}
	for _, m := range unknown {
		all[m] = true
		exchange := m.env.Exchange
		if exchange == "" {
			exchange = "amq.default"
		}
		if strings.Contains(cause.Reason, "exchange '"+exchange+"'") {
			named[m] = true
		}
	}
	if len(named) > 0 && (cause.Code == amqp.NotFound || cause.Code == amqp.AccessRefused) {
		return named
	}
	return all
}
