package consumer

import (
	"context"
	"slices"
	"sync"
)

// Overseer is told which consumers a Group starts and stops, so that it can give them Orders. In an
// fx app it is a value of the group "bunnicula.overseers"; for a Group of NewGroup see
// [Group.Oversee].
type Overseer interface {
	// Begins is called before a consumer starts, and may be called for many at once. The consumer
	// starts when it returns, so it must return soon, and when ctx ends.
	Begins(ctx context.Context, c *Consumer)
	// Ends is called when a consumer has stopped, or could not start.
	Ends(c *Consumer)
}

// Oversee has an Overseer told of the Group's consumers. Call it before Start and Add. Several are
// told in their order, and of the end in the reverse one. A nil Overseer is left out.
func (g *Group) Oversee(o Overseer) {
	if o != nil {
		g.oversight.add(o)
	}
}

// oversight is who is told of the consumers of a Group.
type oversight struct {
	mu  sync.Mutex // guards all
	all []Overseer
}

func (o *oversight) add(one Overseer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, one)
}

func (o *oversight) overseers() []Overseer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.all)
}

// overseen is what overseers were told of a member. A stop may come while they are told of the
// beginning. Then they are told of the end after that, and once, whoever stops the member.
type overseen struct {
	mu   sync.Mutex // guards both, and is held while overseers are told
	by   []Overseer // who was told of the beginning, and of no end yet
	over bool       // the member has stopped: there is no beginning any more
}

// begins tells the overseers that a member is about to start. Their context ends when ctx does, and
// when the member is stopped.
func (o *oversight) begins(ctx context.Context, m *member) {
	all := o.overseers()
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.c.stages.connecting, cancel)()
	m.overseen.mu.Lock()
	defer m.overseen.mu.Unlock()
	if m.overseen.over {
		return
	}
	for _, one := range all {
		m.overseen.by = append(m.overseen.by, one)
		one.Begins(ctx, m.c)
	}
}

// ends tells those who know of a member's beginning that it has stopped.
func (m *member) ends() {
	m.overseen.mu.Lock()
	defer m.overseen.mu.Unlock()
	m.overseen.over = true
	for _, one := range slices.Backward(m.overseen.by) {
		one.Ends(m.c)
	}
	m.overseen.by = nil
}

// stop stops a member, and tells its overseers.
func (m *member) stop(ctx context.Context) error {
	defer m.ends()
	return m.c.stop(ctx)
}

// start starts a member when its overseers know of it and it is its turn.
func (g *Group) start(ctx context.Context, m *member) error {
	g.oversight.begins(ctx, m)
	err := g.turns.start(ctx, m.c)
	if err != nil {
		m.ends()
	}
	return err
}
