package pipeline

import (
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
	"github.com/bunnicula-go/bunnicula/topology"
)

// The headers of a message of a job. They are user's headers, which a message keeps whatever
// becomes of it.
const (
	jobHeader  = "job"
	pathHeader = "job-path"
)

const maxJob = 128 // letters of a job's id

// node is a message's place in its job.
type node struct {
	job   string       // "" for a message of no job
	path  jobtree.Path // in its job, or below the message of no job that all comes from
	id    string       // the message's
	queue string       // of its consumer; "" for a start
}

// noJobPath is the path of a message without the header: it is the first and only item of a job
// that does not exist.
const noJobPath = "1"

// nodeOf reads the headers of a message. One without them is not of a job. The error wraps
// ErrHeaders.
func nodeOf(d *consumer.Delivery) (node, error) {
	n := node{id: d.MessageID, queue: d.Queue}
	raw, has := d.Headers[pathHeader]
	path, ok := text(raw)
	if has && !ok {
		return node{}, fmt.Errorf("%w: the header %s is a %T, want text", ErrHeaders, pathHeader, raw)
	}
	if !has {
		path = noJobPath
	}
	var err error
	if n.path, err = jobtree.Parse(path); err != nil {
		return node{}, fmt.Errorf("%w: the header %s: %w", ErrHeaders, pathHeader, err)
	}
	if n.path.IsStart() {
		return node{}, fmt.Errorf("%w: the header %s is %q, want the path of a message, such as 4312.17", ErrHeaders, pathHeader, foreign.Line(path, 60))
	}
	raw, named := d.Headers[jobHeader]
	if !has || !named {
		return n, nil
	}
	if n.job, ok = text(raw); !ok {
		return node{}, fmt.Errorf("%w: the header %s is a %T, want text", ErrHeaders, jobHeader, raw)
	}
	if err := checkName("the header "+jobHeader, n.job, maxJob); err != nil {
		return node{}, fmt.Errorf("%w: %w", ErrHeaders, err)
	}
	return n, nil
}

// text returns a header of text, which some clients write as bytes.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// stage is the queue by which reports name the node's stage. Partitions of a queue are one stage.
func (n *node) stage() string { return stageOf(n.queue) }

func stageOf(queue string) string {
	if of, _, ok := topology.PartitionOf(queue); ok {
		return of
	}
	return queue
}

// checkName checks a name of letters, digits, dots, underscores and hyphens.
func checkName(what, name string, most int) error {
	if n := len(name); n < 1 || n > most {
		return fmt.Errorf("%s has %d bytes, want 1 to %d: %q", what, n, most, foreign.Line(name, 40))
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return !isOfName(r) }); i >= 0 {
		return fmt.Errorf("%s is %q, want letters, digits, dots, underscores and hyphens", what, foreign.Line(name, 140))
	}
	return nil
}

func isOfName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}
