package errorqueue

import (
	"log/slog"
	"runtime/debug"
)

// follower tells the caller of a redrive or a discard which messages it reads, and which are gone.
// One goroutine uses it, that of the call.
type follower struct {
	log *slog.Logger // immutable

	// nil if nobody is told, and after a panic. Written by read, whole and gone.
	observe  func(*Message)
	observed func()
	settled  func(mark string)

	shown Message // what observe gets; written by read
}

// read is called for each message that a reading of the queue has come to.
func (f *follower) read(m *Message) {
	if f == nil || f.observe == nil {
		return
	}
	tell := f.observe
	f.observe, f.shown = nil, *m
	defer f.recovered("Observe panicked")
	tell(&f.shown)
	f.observe = tell
}

// whole is called when a reading has come to its end.
func (f *follower) whole() {
	if f == nil || f.observed == nil {
		return
	}
	tell := f.observed
	f.observed = nil
	defer f.recovered("Observed panicked")
	tell()
	f.observed = tell
}

// gone is called for messages that the broker has removed from the queue.
func (f *follower) gone(all []*held) {
	if f == nil || f.settled == nil {
		return
	}
	tell := f.settled
	f.settled = nil
	defer f.recovered("Settled panicked")
	for _, d := range all {
		tell(d.message.Mark)
	}
	f.settled = tell
}

// recovered logs a panic of a callback: the messages that the call moves are worth more than that.
func (f *follower) recovered(what string) {
	if p := recover(); p != nil {
		f.log.Error(what, "panic", p, "stack", string(debug.Stack()))
	}
}
