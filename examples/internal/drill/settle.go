package drill

import "context"

// Settle waits until the work is finished, and stops the processes. A message may be in hands that
// nobody sees, so only when all processes have stopped it is known that the queues are empty; if
// they are not, the processes go on. Finished returns when the queues look empty, or with gaveUp
// when nothing changes any more: then the processes still run.
func Settle(ctx context.Context, fleet *Fleet, queues Queues, finished func(context.Context) (gaveUp bool, err error)) error {
	for {
		gaveUp, err := finished(ctx)
		if err != nil || gaveUp {
			return err
		}
		fleet.Stop()
		var state State
		err = Every(ctx, func() (bool, error) { // the connections of dead processes may linger
			state, err = queues.Look(ctx)
			return state.Consumers == 0, err
		})
		if err != nil || state.Waiting == 0 {
			return err
		}
		if err := fleet.Start(ctx); err != nil {
			return err
		}
	}
}
