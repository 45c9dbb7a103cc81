package topology_test

import (
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// stage declares the stream of a pipeline, reports to it and asks for progress.
func (a actor) stage() (err error) {
	a.t.Helper()
	name := a.queue + "-bank"
	amqptest.Cleanup(a.t, pipeline.StreamOf(name))
	bank, err := pipeline.New(a.conn, new(publishertest.Recorder), pipeline.Config{Name: name})
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() {
		if err := bank.Stop(a.ctx); err != nil {
			a.t.Errorf("stop: %v", err)
		}
	}()
	if err := bank.Start(a.ctx); err != nil {
		return err
	}
	nothing := func(func(int) bool) {}
	job, err := pipeline.Start(a.ctx, bank, a.queue, nothing)
	if err != nil {
		return err
	}
	p, err := bank.Progress(a.ctx, job)
	if err == nil && !p.Complete {
		a.t.Errorf("progress: %+v", p)
	}
	return err
}
