package sending

import "context"

// Sender posts messages, and is told what became of each.
type Sender interface {
	// Ended is called once for each message that was posted, in any goroutine, and maybe before
	// Post returns. The error is that of Send. Ended must not block: it may hold up the confirms of
	// all messages that are on the channel.
	Ended(err error)
}

// Post is Send that waits for nothing. A message for which there is no place ends with ErrFull.
func (p *Pipeline) Post(ctx context.Context, env Envelope, by Sender) {
	m := &Message{env: env, pipeline: p, async: true, sender: by}
	err := check(&m.env)
	if err == nil {
		err = p.begin(ctx, m, p.due(ctx))
	}
	if err != nil {
		m.end(err) // unless ctx has ended it before that
	}
}
