package pipeline

import (
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// child is an output before it is sent.
type child struct {
	job  string
	path jobtree.Path
	id   string
	hash jobtree.Hash // of its key
	kind childKind
}

type childKind int

const (
	numbered childKind = iota
	keyed
	continued
)

// children counts the outputs of one run. Whoever has the run's turn uses it.
type children struct {
	of       *node // immutable
	maxDepth int   // immutable
	maxAgain int   // immutable

	numbered int
	keys     map[jobtree.Hash]struct{}
	again    bool
}

// next decides which child an output is that was emitted with these options. It changes nothing.
func (c *children) next(asked *sending.Draft) (child, error) {
	o := asked.Output
	switch {
	case asked.MessageId != "":
		return child{}, fmt.Errorf("%w: MessageID: the id is made of the job and the output's place in it; use Key to choose it", ErrOption)
	case asked.Exchange != "":
		return child{}, fmt.Errorf("%w: Exchange %q: an output goes to one queue", ErrOption, foreign.Line(asked.Exchange, 80))
	case asked.NotMandatory:
		return child{}, fmt.Errorf("%w: NotMandatory: an output that no queue takes would be missing", ErrOption)
	case c.of.path.Depth() >= c.maxDepth:
		return child{}, fmt.Errorf("%w: the output of %s would have depth %d, Config.MaxDepth is %d", ErrTooDeep, c.of.path, c.of.path.Depth()+1, c.maxDepth)
	case o != nil && o.IsKey:
		return c.withKey(o.Key)
	}
	path := c.of.path.Child(c.numbered + 1)
	return child{job: c.of.job, path: path, id: outputID(c.of, path.String())}, nil
}

func (c *children) withKey(key string) (child, error) {
	hash := jobtree.HashOf(key)
	_, twice := c.keys[hash]
	switch {
	case key == "":
		return child{}, fmt.Errorf("%w: it is empty", ErrKey)
	case twice:
		return child{}, fmt.Errorf("%w: %q was emitted already in this run", ErrKey, foreign.Line(key, 80))
	case len(c.keys) >= maxKeys:
		return child{}, fmt.Errorf("%w: more than %d", ErrTooManyKeys, maxKeys)
	}
	return child{job: c.of.job, path: c.of.path.Keyed(hash), id: keyedID(c.of, key), hash: hash, kind: keyed}, nil
}

// continuation decides about the continuation.
func (c *children) continuation() (child, error) {
	switch {
	case c.of.path.IsStart():
		return child{}, fmt.Errorf("%w: a start has none", ErrAgain)
	case c.again:
		return child{}, fmt.Errorf("%w: Again was called twice", ErrAgain)
	case c.of.path.Agains() >= c.maxAgain:
		return child{}, fmt.Errorf("%w: %s is number %d, Config.MaxAgain is %d", ErrTooManyAgain, c.of.path, c.of.path.Agains(), c.maxAgain)
	}
	path := c.of.path.Again()
	return child{job: c.of.job, path: path, id: outputID(c.of, path.String()), kind: continued}, nil
}

// add counts a child that was sent.
func (c *children) add(o child) {
	switch o.kind {
	case numbered:
		c.numbered++
	case keyed:
		if c.keys == nil {
			c.keys = map[jobtree.Hash]struct{}{}
		}
		c.keys[o.hash] = struct{}{}
	case continued:
		c.again = true
	}
}

// mark is the last option of an output: its place in the job, whatever headers its handler has
// forwarded.
func (o child) mark() publisher.Option {
	return func(d *sending.Draft) error {
		d.MessageId, d.Output = o.id, nil
		headers := map[string]any{pathHeader: o.path.String()}
		if o.job != "" {
			headers[jobHeader] = o.job
		} else if d.Added != nil {
			delete(d.Added, jobHeader)
		}
		return publisher.Headers(headers)(d)
	}
}
