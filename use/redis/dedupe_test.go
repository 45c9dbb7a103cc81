package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
)

// declare declares the queues of a life.
func (l life) declare(t *testing.T) {
	t.Helper()
	c, err := consumer.New(nil, l.spec(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Topology().Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
}

// wrote counts the lines of processes about a message.
func wrote(line, id string, all ...*amqptest.Process) (n int) {
	for _, p := range all {
		for _, one := range p.Lines() {
			if one == line+" "+id {
				n++
			}
		}
	}
	return n
}

// waiting counts the messages that wait in the rungs of topology.Ladder up to a minute.
func waiting(t *testing.T, queue string) (n int) {
	for _, rung := range []string{"250ms", "1s", "5s", "15s", "1m"} {
		n += amqptest.Depth(t, queue+"-retry-"+rung)
	}
	return n
}

// Work is done again only where a process dies between the work and the mark, and it is never left
// undone.
func TestAMessageWhoseProcessIsKilledAtAnyStepIsHandledInTheEnd(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	for dies, want := range map[step]int{
		beforeClaim: 1, afterClaim: 1, inHandler: 1, afterWork: 2, beforeMark: 2, afterMark: 1, atAck: 1,
	} {
		t.Run(string(dies), func(t *testing.T) {
			t.Parallel()
			l := life{URL: amqptest.URL(t), Queue: ladderQueue(t, "mortal"), Redis: server.Addr, Dies: dies, Over: id(0), Timeout: 700 * time.Millisecond}
			l.declare(t)
			publish(t, l.Queue, 0, 1)
			dead := startAs(t, mortalVar, l)
			if code := dead.Wait(20 * time.Second); code != deathCode {
				t.Fatalf("the process ended with %d", code)
			}
			other, copies := 0, 2 // another copy, since the publisher is not sure
			if dies == atAck {    // the first may be acked
				other, copies = 1, 1
			}
			publish(t, l.Queue, other, 1)
			l.Dies = never
			survivor := startAs(t, mortalVar, l)
			survivor.Await(readyLine, 20*time.Second)
			amqptest.Eventually(t, 20*time.Second, func() bool { return wrote(ackedLine, id(other), survivor) == copies }, "fewer than %d copies are acked", copies)
			survivor.Terminate()
			if code := survivor.Wait(20 * time.Second); code != 0 {
				t.Errorf("the survivor ended with %d", code)
			}
			l.empty(t)
			if n := wrote(workedLine, id(0), dead, survivor); n != want {
				t.Errorf("the work was done %d times, want %d", n, want)
			}
		})
	}
}

// empty checks that no message is left or parked.
func (l life) empty(t *testing.T) {
	t.Helper()
	if left, parked := amqptest.Depth(t, l.Queue)+waiting(t, l.Queue), amqptest.Depth(t, l.Queue+"-error"); left+parked != 0 {
		t.Errorf("%d messages are left, and %d are parked", left, parked)
	}
}

// The Store outlives the process, so the message snoozes after each death, and the consumer's own
// count of deaths begins anew. Where a process starts so slowly that the lease has ended it does
// not snooze, and that count may be what parks it.
func TestAMessageThatKillsItsProcessIsParkedAndItsNeighboursAreHandled(t *testing.T) {
	amqptest.Long(t)
	const neighbours = 5
	server := redistest.Start(t)
	l := life{URL: amqptest.URL(t), Queue: ladderQueue(t, "killer"), Redis: server.Addr, Dies: inHandler, Over: id(0), Takes: 20 * time.Millisecond, Timeout: 1500 * time.Millisecond}
	l.declare(t)
	publish(t, l.Queue, 0, neighbours+1)
	var all []*amqptest.Process
	for amqptest.Depth(t, l.Queue+"-error") == 0 {
		if len(all) > 20 {
			t.Fatal("the process dies again and again")
		}
		p := startAs(t, mortalVar, l)
		all = append(all, p)
		amqptest.Eventually(t, time.Minute, func() bool {
			select {
			case <-p.Ended():
				return true
			default:
				return amqptest.Depth(t, l.Queue+"-error") == 1
			}
		}, "the process lives on, and nothing is parked")
	}
	last := all[len(all)-1]
	for i := range neighbours {
		amqptest.Eventually(t, 10*time.Second, func() bool { return wrote(ackedLine, id(i+1), all...) >= 1 }, "a neighbour is not acked")
	}
	last.Terminate()
	if code := last.Wait(20 * time.Second); code != 0 {
		t.Errorf("the last process ended with %d", code)
	}
	t.Logf("the process died %d times", len(all)-1)
	d := amqptest.Get(t, l.Queue+"-error")
	text := fmt.Sprint(d.Headers)
	if d.MessageId != id(0) || !strings.Contains(text, "its process died, or its handler did not return, 10 times in a row") && d.Headers["bunnicula-reason"] != "crashed" {
		t.Errorf("message %s is parked: %s", d.MessageId, text)
	}
	if n := amqptest.Depth(t, l.Queue) + waiting(t, l.Queue); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

func TestCopiesOfAFleetAreHandledOnceWhileProcessesStop(t *testing.T) {
	amqptest.Long(t)
	const messages, processes = 60, 3
	server := redistest.Start(t)
	l := life{URL: amqptest.URL(t), Queue: ladderQueue(t, "copies"), Redis: server.Addr, Takes: 30 * time.Millisecond, Timeout: 10 * time.Second}
	l.declare(t)
	var all []*amqptest.Process
	for range processes {
		all = append(all, startAs(t, mortalVar, l))
	}
	for _, p := range all {
		p.Await(readyLine, 20*time.Second)
	}
	for range 3 {
		publish(t, l.Queue, 0, messages)
	}
	amqptest.Eventually(t, 20*time.Second, func() bool {
		return slices.ContainsFunc(all[0].Lines(), func(line string) bool { return strings.HasPrefix(line, ackedLine) })
	}, "the first process does nothing")
	all[0].Terminate()
	for i := range messages {
		amqptest.Eventually(t, 20*time.Second, func() bool { return wrote(ackedLine, id(i), all...) >= 3 }, "not all copies of message %d are acked", i)
	}
	for i, p := range all {
		if i > 0 { // the first one is about to end
			p.Terminate()
		}
		if code := p.Wait(20 * time.Second); code != 0 {
			t.Errorf("a process ended with %d", code)
		}
	}
	l.empty(t)
	for i := range messages {
		if n := wrote(workedLine, id(i), all...); n != 1 {
			t.Errorf("message %d is handled %d times", i, n)
		}
	}
}
