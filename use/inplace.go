package use

import (
	"context"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// InPlace tries again where the message is: the handler is called up to tries times, with a pause
// in between, while the message stays in hand and what is behind it waits. It is for queues whose
// order matters, those of consumer.Partitioned:
//
//	MaxRetries: consumer.NoRetries,
//	Use:        []consumer.Middleware{use.InPlace(5, time.Second)},
//
// What becomes of a message:
//
//	the handler returns or does      and a try is left      and none is
//	Retry, RetryAfter                pause, another try     that
//	Timeout, Result{}                pause, another try     that
//	it panics                        pause, another try     the panic
//	Ack, Error, Snooze               that                   that
//	the body does not decode         that                   that
//	it calls runtime.Goexit          a retry                a retry
//
// With NoRetries that last retry is parked, and the queue goes on. Without it the message goes to a
// retry queue after its tries, and loses its place.
//
// The pause is the longer one of pause and the delay of a RetryAfter. A try for which the deadline
// leaves no time is not made: all tries and pauses together must fit Spec.Timeout, which should be
// far below the broker's consumer_timeout (30 minutes). InPlace is the exception to the rule of
// slots: it waits in its slot, because nothing else may run there. When the consumer stops, no
// other try begins, and a pause ends at once. The message counts as interrupted then: in a
// partition it keeps its place, and has all its tries again in the next process.
//
// It does not promise that tries are counted over a lost connection or a dead process: the message
// comes again and has all its tries. Delivery.Attempt and LastAttempt say the same in each try, and
// middleware inside of InPlace sees each of them. A Snooze leaves the queue, so that the message
// loses its place: do not put a Breaker, a Rate or whatever else snoozes inside or around it. Nor
// does it promise order by itself: see consumer.Partitioned.
//
// Tries that are not 1 to 1000, and a pause below 0, panic when consumer.New calls the middleware;
// that is an error of New.
func InPlace(tries int, pause time.Duration) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		switch {
		case tries < 1 || tries > mostTries:
			panic(fmt.Errorf("use: InPlace has %d tries, want 1 to %d", tries, mostTries))
		case pause < 0:
			panic(fmt.Errorf("use: the pause of InPlace is %s, want 0 or more", pause))
		}
		if next == nil {
			return nil
		}
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			var t try
			for left := tries - 1; ; left-- {
				if t.call(ctx, d, next, left, pause); !t.again {
					return t.result
				}
				if !t.wait(ctx) {
					return t.result
				}
			}
		}
	}
}

// mostTries is far above what fits a Timeout. A larger number is most often a delay.
const mostTries = 1000

// try is one call of the handler, and what follows from it. The handler's goroutine alone uses it.
type try struct {
	result consumer.Result
	again  bool          // there is to be another one
	pause  time.Duration // before that
}

// call calls the handler. A panic is caught only if there is to be another try, so that the
// consumer gets the stack of one that it is to know.
func (t *try) call(ctx context.Context, d consumer.Delivery, next consumer.Handler, left int, pause time.Duration) {
	*t = try{pause: pause}
	clean := false
	defer func() {
		if clean || left == 0 || !fits(ctx, pause) {
			return
		}
		if p := recover(); p != nil { // nil is runtime.Goexit, which goes on
			err, ok := p.(error)
			if !ok {
				err = fmt.Errorf("%v", p)
			}
			t.result, t.again = consumer.Retry(fmt.Errorf("panic: %w", err)), true
		}
	}()
	t.result = next(ctx, d)
	clean = true
	t.pause = max(pause, t.result.Delay())
	t.again = t.result.Retried() && left > 0 && fits(ctx, t.pause)
}

// fits returns whether there is time for a pause and a try.
func fits(ctx context.Context, pause time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	deadline, bounded := ctx.Deadline()
	return !bounded || time.Until(deadline) > pause
}

// wait waits for the pause. It returns false if there is to be no other try after all: the context
// has ended, or the consumer stops, which the Result says then.
func (t *try) wait(ctx context.Context) bool {
	timer := time.NewTimer(t.pause)
	defer timer.Stop()
	stopping := consumer.Stopping(ctx)
	select {
	case <-timer.C:
	case <-stopping:
	case <-ctx.Done():
		return false
	}
	select {
	case <-stopping: // also if it began at the end of the pause
		t.result = consumer.Retry(consumer.ErrStopping)
		return false
	default:
		return true
	}
}
