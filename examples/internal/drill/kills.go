package drill

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Victim is what can be killed. Kill returns false if it is dead already. It is called by one
// goroutine at a time.
type Victim struct {
	Name string
	Kill func(context.Context) (bool, error)
}

// Kills kills victims at moments that a seed decides: a moment after so many things have happened.
type Kills struct {
	victims []Victim
	turns   map[string]*sync.Mutex // by victim; immutable
	toll    *Toll
	log     io.Writer

	due    chan blow      // Happened sends, and the killer receives
	killer sync.WaitGroup // one goroutine, and one for each kill; Stop waits for them
	stop   context.CancelFunc

	mu       sync.Mutex
	happened int
	plan     map[int]blow // by what has happened
}

// Broker is the victim that this command of the user's kills and starts again.
func Broker(command string) Victim {
	return Victim{"broker", func(ctx context.Context) (bool, error) {
		said, err := Shell(ctx, command)
		if err != nil {
			err = fmt.Errorf("-kill-broker: %w: %s", err, said)
		}
		return true, err
	}}
}

// Shell runs a command of the user's. A test has its own.
var Shell = func(ctx context.Context, command string) ([]byte, error) {
	return exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput() //nolint:gosec // it is the user's own
}

// Only leaves out the victims of which no kind is named. The kind of "worker 1" is worker.
func Only(all []Victim, kinds []string) []Victim {
	return slices.DeleteFunc(all, func(v Victim) bool {
		kind, _, _ := strings.Cut(v.Name, " ")
		return !slices.Contains(kinds, kind)
	})
}

// blow is one kill.
type blow struct {
	victim Victim
	after  time.Duration
}

// NewKills plans so many kills over so many happenings, more of them early, when there is most to
// lose. Each victim has its turn before one has a second one.
func NewKills(victims []Victim, kills int, seed uint64, happenings int, toll *Toll, log io.Writer) *Kills {
	k := &Kills{victims: victims, toll: toll, log: log, due: make(chan blow, kills+1), plan: map[int]blow{}, turns: map[string]*sync.Mutex{}}
	for _, v := range victims {
		k.turns[v.Name] = new(sync.Mutex)
	}
	rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // it is played again by its seed
	var moments []int
	for len(moments) < min(kills, happenings) {
		share := rnd.Float64()
		if at := 1 + int(share*share*float64(happenings)); !slices.Contains(moments, at) {
			moments = append(moments, at)
		}
	}
	slices.Sort(moments)
	var turns []int
	for _, at := range moments {
		if len(turns) == 0 {
			turns = rnd.Perm(len(victims))
		}
		k.plan[at] = blow{victims[turns[0]], time.Millisecond + time.Duration(rnd.Int64N(int64(20*time.Millisecond)))}
		turns = turns[1:]
	}
	return k
}

// Start begins to kill.
func (k *Kills) Start(ctx context.Context) {
	ctx, k.stop = context.WithCancel(ctx)
	k.killer.Go(func() {
		for {
			select {
			case b := <-k.due:
				k.killer.Go(func() { k.strike(ctx, b) }) // others may be killed while the database is locked
			case <-ctx.Done():
				return
			}
		}
	})
}

// Stop ends the killing, and waits for kills that are being done.
func (k *Kills) Stop() {
	k.stop()
	k.killer.Wait()
}

// Happened counts what has happened.
func (k *Kills) Happened() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.happened++
	if b, is := k.plan[k.happened]; is {
		k.due <- b // there is room for all
		delete(k.plan, k.happened)
	}
}

// strike kills. A victim that is dead already, as it was killed just before, is killed when it
// lives.
func (k *Kills) strike(ctx context.Context, b blow) {
	turn := k.turns[b.victim.Name]
	turn.Lock()
	defer turn.Unlock()
	for Pause(ctx, b.after) == nil {
		did, err := b.victim.Kill(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			_, _ = fmt.Fprintf(k.log, "kill %s: %v\n", b.victim.Name, err)
			k.toll.missed(b.victim.Name)
			return
		case did:
			k.toll.killed(b.victim.Name)
			return
		}
	}
}
