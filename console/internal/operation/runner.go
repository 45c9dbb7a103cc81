package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Runner runs operations, one for each queue at a time. It is safe for many goroutines.
type Runner struct {
	// Immutable.
	cfg     Config
	journal *lines.File // nil without a directory
	lock    *os.File    // nil without a directory
	files   *files
	ctx     context.Context
	cancel  context.CancelCauseFunc
	all     sync.WaitGroup // a goroutine for each operation that runs

	mu       sync.Mutex
	known    map[string]*operation
	order    []*operation // in which they began
	on       map[string]*operation
	watching map[chan struct{}]string // the ID that is watched, "" is any
	closed   bool
}

// Start begins an operation, and does not wait for it. The intent is on the disk when Start
// returns. The errors are ErrUsed, ErrBusy, ErrJournal, ErrClosed, errorqueue.ErrNoFilter and
// *errorqueue.FieldError: with each of them nothing is done.
func (r *Runner) Start(i Intent) error {
	i, err := i.resolve(time.Now())
	if err != nil {
		return fmt.Errorf("operation: %w", err)
	}
	o := &operation{runner: r, chosen: slices.Clone(i.Chosen), state: State{
		Intent: i, Status: Running, Progress: errorqueue.Progress{Of: -1}, Began: i.At,
	}}
	o.state.Chosen = nil
	if err := r.reserve(o); err != nil {
		return fmt.Errorf("operation: %w", err)
	}
	if err := r.write(o); err != nil {
		r.forget(o)
		return fmt.Errorf("operation: %w: %w", ErrJournal, err)
	}
	ctx, cancel := context.WithCancelCause(r.ctx)
	r.mu.Lock()
	o.cancel = cancel
	if o.state.Status == Stopping { // while the intent was written
		cancel(errStopped)
	}
	r.mu.Unlock()
	go o.run(ctx)
	return nil
}

// reserve takes the ID and the queue for an operation.
func (r *Runner) reserve(o *operation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, queue := o.state.ID, o.state.Queue
	switch {
	case r.closed:
		return ErrClosed
	case r.known[id] != nil:
		return fmt.Errorf("%s: %w", id, ErrUsed)
	case r.on[queue] != nil:
		return fmt.Errorf("queue %q: %w", queue, ErrBusy)
	}
	r.known[id], r.on[queue] = o, o
	r.order = append(r.order, o)
	r.all.Add(1)
	for len(r.order) > keptStates && r.order[0].state.Status.Over() {
		delete(r.known, r.order[0].state.ID)
		r.order = r.order[1:]
	}
	return nil
}

// forget undoes reserve.
func (r *Runner) forget(o *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, o.state.ID)
	delete(r.on, o.state.Queue)
	r.order = slices.DeleteFunc(r.order, func(other *operation) bool { return other == o })
	r.all.Done()
}

// write puts the marks and then the intent on the disk.
func (r *Runner) write(o *operation) error {
	if r.journal == nil {
		return nil
	}
	i, file := o.state.Intent, r.marksFile(o.state.ID)
	if len(o.chosen) > 0 {
		if err := writeMarks(file, o.chosen); err != nil {
			return err
		}
		lines.SyncDir(r.marksDir())
	}
	err := r.journal.Append(line{ID: i.ID, At: i.At, Intent: &i}, true)
	if err != nil && len(o.chosen) > 0 {
		_ = os.Remove(file)
	}
	return err
}

// Stop ends an operation early. What it has in flight is confirmed, the rest stays where it is, and
// the operation is Stopped when that is done. The error is ErrUnknown or ErrOver.
func (r *Runner) Stop(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.known[id]
	switch {
	case o == nil:
		return fmt.Errorf("operation: %s: %w", id, ErrUnknown)
	case o.state.Status.Over():
		return fmt.Errorf("operation: %s: %w", id, ErrOver)
	}
	o.state.Status = Stopping
	if o.cancel != nil {
		o.cancel(errStopped)
	}
	r.tell(id)
	return nil
}

// State returns what is known of an operation.
func (r *Runner) State(id string) (State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.known[id]
	if o == nil {
		return State{}, false
	}
	return o.state.copied(), true
}

// All returns all operations that are known, the latest first: the last thousand.
func (r *Runner) All() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]State, 0, len(r.order))
	for _, o := range slices.Backward(r.order) {
		all = append(all, o.state.copied())
	}
	return all
}

// RunsOn says whether an operation runs on a queue, and which.
func (r *Runner) RunsOn(queue string) (id string, runs bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.on[queue]; o != nil {
		return o.state.ID, true
	}
	return "", false
}

// Durable says whether operations are known after a restart.
func (r *Runner) Durable() bool { return r.journal != nil }

// Chosen returns the marks with which an operation was started. It is nil if its filter alone
// chooses. Those of an operation that is Done may be gone: ErrNoFile.
func (r *Runner) Chosen(id string) ([]string, error) {
	r.mu.Lock()
	o := r.known[id]
	if o == nil {
		r.mu.Unlock()
		return nil, fmt.Errorf("operation: %s: %w", id, ErrUnknown)
	}
	chosen, n := slices.Clone(o.chosen), o.state.Marks
	r.mu.Unlock()
	if n == 0 || len(chosen) > 0 {
		return chosen, nil
	}
	if r.journal == nil {
		return nil, fmt.Errorf("operation: %s: the marks: %w", id, ErrNoFile)
	}
	chosen, err := readMarks(r.marksFile(id), n)
	if errors.Is(err, os.ErrNotExist) {
		err = ErrNoFile
	}
	if err != nil {
		return nil, fmt.Errorf("operation: %s: the marks: %w", id, err)
	}
	return chosen, nil
}

// Close stops all operations, and waits until they have given back what they hold, as long as ctx
// lasts. One that has not ended then is Interrupted at the next Open.
func (r *Runner) Close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	for _, o := range slices.Collect(maps.Values(r.on)) {
		o.state.Status = Stopping
	}
	r.mu.Unlock()
	r.cancel(ErrClosed)
	over := make(chan struct{})
	go func() {
		r.all.Wait()
		r.files.close()
		_ = r.journal.Close()
		if r.lock != nil {
			_ = r.lock.Close()
		}
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}
