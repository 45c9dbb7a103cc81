package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/peer"
	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/topology"
)

// runner plays cases.
type runner struct {
	broker   *broker // nil with -peer
	others   string  // the program bench/others
	statsd   string
	profiles string // the directory for profiles, "" for none
	setting  string // of the measurement, for the pictures of profiles
	progress func(format string, args ...any)
}

// playCase lets the sides take turns, round after round, each in another order.
func (r *runner) playCase(ctx context.Context, v variant, rounds int) (caseResult, error) {
	result := caseResult{
		Name: v.Name(), Work: v.Work, QueueType: v.QueueType, Size: v.Size, Messages: v.Count, Figure: v.Figure, Columns: v.Columns,
		Sides: make([]sideResult, len(v.Sides)),
	}
	for i, s := range v.Sides {
		result.Sides[i].Name = s.Name
	}
	for round := range rounds {
		for nth := range v.Sides {
			i := (nth + round) % len(v.Sides)
			r.progress("%s, round %d of %d: %s", v.Name(), round+1, rounds, v.Sides[i].Name)
			one, err := r.playSide(ctx, v, v.Sides[i])
			if err != nil {
				return result, fmt.Errorf("%s, %s: %w", v.Name(), v.Sides[i].Name, err)
			}
			result.Sides[i].Rounds = append(result.Sides[i].Rounds, one)
			if round < rounds-1 || r.profiles == "" {
				continue
			}
			if err := r.draw(v, v.Sides[i]); err != nil {
				return result, fmt.Errorf("%s, %s: %w", v.Name(), v.Sides[i].Name, err)
			}
		}
	}
	return result, nil
}

func (r *runner) orderOf(v variant, s side) turn.Order {
	o := turn.Order{
		Case: v.workload.Name, Side: s.Name, Queue: newQueue(), QueueType: v.QueueType, Queues: v.Queues, Size: v.Size, Count: v.Count, Warm: v.Warm(),
		StatsD: r.statsd,
	}
	if r.profiles != "" {
		o.Profile = filepath.Join(r.profiles, profileName(v, s))
	}
	o.Within = time.Minute + time.Duration(v.Count)*5*time.Millisecond + time.Duration(v.Queues)*100*time.Millisecond
	return o
}

// draw draws the CPU profile of a side's last round.
func (r *runner) draw(v variant, s side) error {
	return drawFlame(filepath.Join(r.profiles, profileName(v, s)), v.Name()+": "+s.Name, r.setting)
}

func (r *runner) playSide(ctx context.Context, v variant, s side) (turn.Sample, error) {
	program, err := r.programOf(s)
	if err != nil {
		return nil, err
	}
	if r.broker == nil {
		return r.playOnPeer(ctx, v, program, r.orderOf(v, s))
	}
	return r.playOnBroker(ctx, v, program, r.orderOf(v, s))
}

// programOf returns the program that has a side.
func (r *runner) programOf(s side) (string, error) {
	if s.do == nil {
		return r.others, nil
	}
	return os.Executable()
}

// playOnBroker declares queues for the side, and always deletes them.
func (r *runner) playOnBroker(ctx context.Context, v variant, program string, o turn.Order) (_ turn.Sample, err error) {
	o.URL, o.BrokerPIDs = r.broker.url, r.broker.pids
	var all []topology.Topology
	for _, queue := range o.QueueNames() {
		t, err := topologyFor(v, o.Side, queue)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	defer func() { err = errors.Join(err, r.broker.remove(all...)) }() // even if ctx has ended
	if err := r.broker.declare(all...); err != nil {
		return nil, err
	}
	if v.Preload {
		if err := r.broker.preload(ctx, o.Queue, turn.Body(v.Size), o.Count+o.Warm); err != nil {
			return nil, err
		}
	}
	r.broker.rest(ctx)
	one, err := play(ctx, program, o)
	if err != nil {
		return nil, err
	}
	if isPublish(v) {
		return one, r.broker.depth(ctx, o.Queue, o.Count+o.Warm, 0)
	}
	return one, inTurns(o.QueueNames(), func(queue string) error { return r.broker.depth(ctx, queue, 0, unsettled*max(v.Processes, 1)) })
}

// unsettled is how many messages of each process may be in the queue again after a side that has
// acked all of them. A busy RabbitMQ has closed a channel together with acks that it had accepted
// and not yet passed on to a quorum queue, which then got those messages back. The number is the
// prefetch. A side that does not ack never gets more messages than that.
const unsettled = 300

// isPublish says whether the messages stay in the queue.
func isPublish(v variant) bool { return !v.Preload && !v.Idle && v.Figure == turn.Rate }

func (r *runner) playOnPeer(ctx context.Context, v variant, program string, o turn.Order) (_ turn.Sample, err error) {
	messages := int64(o.Count + o.Warm)
	cfg := peer.Config{Body: turn.Body(v.Size), Messages: messages}
	if !v.Preload {
		cfg.Messages = peer.Idle
	}
	server, err := peer.Listen(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	o.URL = server.URL()
	if err := declareOn(server, v, o.Queue); err != nil {
		return nil, err
	}
	one, err := play(ctx, program, o)
	if err != nil {
		return nil, err
	}
	got := server.Counts()
	switch {
	case isPublish(v) && got.Published != messages:
		return nil, fmt.Errorf("%d messages were published, want %d", got.Published, messages)
	case v.Preload && o.Side != rawAutoAck && got.Acked < messages:
		return nil, fmt.Errorf("%d messages were acked, want %d", got.Acked, messages)
	case len(v.Backoff) > 0 && (got.Expired != messages || got.Acked != 2*messages || got.GivenBack > 0):
		return nil, fmt.Errorf("%d messages were acked, %d after a wait, and %d given back; want %d, %d and none",
			got.Acked, got.Expired, got.GivenBack, 2*messages, messages)
	}
	return one, nil
}

// declareOn declares the side's queues on a peer, which must know where retried messages wait.
func declareOn(server *peer.Server, v variant, queue string) error {
	t, err := topologyOf(v, queue)
	if err != nil {
		return err
	}
	b := &broker{url: server.URL()}
	if err := b.dial(); err != nil {
		return err
	}
	defer b.close()
	return b.declare(t)
}

// dropMetrics returns the address of a socket that reads the packets of StatsD, so that none wait,
// and drops them.
func dropMetrics() (addr string, closeIt func(), err error) {
	socket, err := (&net.ListenConfig{}).ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			if _, _, err := socket.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
	return socket.LocalAddr().String(), func() { socket.Close(); <-done }, nil
}
