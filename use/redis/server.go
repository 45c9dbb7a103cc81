package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// server runs one script on a Redis. It is immutable.
type server struct {
	client redis.Scripter
	script *redis.Script
	name   string // for errors; "" if the client does not tell
}

func newServer(client redis.Scripter, script string) server {
	s := server{client: client, script: redis.NewScript(script)}
	if named, ok := client.(fmt.Stringer); ok {
		s.name = named.String() // go-redis tells address and database
	}
	return s
}

// answer is how the script ended.
type answer struct {
	reply any
	err   error
}

// run runs the script for a key until ctx ends. A client of go-redis may go on for longer: it heeds
// deadlines only with Options.ContextTimeoutEnabled, and cancellations never. So the call has a
// goroutine, which ends with the client's own timeouts, and for which nobody waits after ctx.
func (s server) run(ctx context.Context, key string, args ...any) (any, error) {
	return s.runOr(ctx, func(any) {}, key, args...)
}

// runOr is run that calls late with a reply that comes when ctx has ended and run has returned.
func (s server) runOr(ctx context.Context, late func(reply any), key string, args ...any) (any, error) {
	began := time.Now()
	answers := make(chan answer)
	go func() {
		a := s.call(ctx, key, args)
		select {
		case answers <- a:
		case <-ctx.Done(): // nobody receives any more
			if a.err == nil {
				late(a.reply)
			}
		}
	}()
	var a answer
	select {
	case a = <-answers:
	case <-ctx.Done():
		a.err = fmt.Errorf("no answer within %s: %w", time.Since(began).Round(time.Millisecond), ctx.Err())
	}
	if a.err != nil {
		return nil, s.failed(key, a.err)
	}
	return a.reply, nil
}

// call runs the script by its hash, and sends it to a Redis that does not have it. A client that
// panics must not end the process.
func (s server) call(ctx context.Context, key string, args []any) (a answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			a = answer{err: fmt.Errorf("the client panicked: %v", panicked)}
		}
	}()
	reply, err := s.script.Run(ctx, s.client, []string{key}, args...).Result()
	return answer{reply, err}
}

// failed says which Redis an error is about, and which key if Redis says so itself.
func (s server) failed(key string, err error) error {
	if said := redis.Error(nil); errors.As(err, &said) {
		err = fmt.Errorf("key %q: %w", key, err)
	}
	if s.name != "" {
		err = fmt.Errorf("%s: %w", s.name, err)
	}
	return err
}
