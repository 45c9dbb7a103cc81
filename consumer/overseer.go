package consumer

import "context"

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

// Oversee has an Overseer told of the Group's consumers. Call it before Start and Add.
func (g *Group) Oversee(o Overseer) { panic("not yet") }
