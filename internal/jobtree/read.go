package jobtree

import (
	"fmt"
	"slices"
)

// maxQueue is how many bytes the name of a queue has at most (AMQP 0-9-1).
const maxQueue = 255

// MaxKeys is how many children with keys a node may have.
const MaxKeys = 10_000

// report is a Report that was checked.
type report struct {
	path  Path
	stage string
	out   []count
	n     int // the numbered children
	keys  []Hash
	again bool
}

// read checks what anybody may have written into the stream.
func read(r Report) (report, error) {
	path, err := Parse(r.Path)
	if err != nil {
		return report{}, err
	}
	said := report{path: path, stage: r.Stage, again: r.Again}
	switch {
	case path.IsStart() && r.Again:
		return report{}, fmt.Errorf("report of the start of job %q: it has no continuation", r.Job)
	case !path.IsStart() && r.Stage == "":
		return report{}, fmt.Errorf("report of path %q: stage is empty", r.Path)
	case len(r.Stage) > maxQueue:
		return report{}, fmt.Errorf("report of path %q: stage has %d bytes, want at most %d", r.Path, len(r.Stage), maxQueue)
	}
	if said.keys, err = hashes(r.Keys); err != nil {
		return report{}, fmt.Errorf("report of path %q: %w", r.Path, err)
	}
	if said.n, err = numbered(r.Out, len(said.keys)); err != nil {
		return report{}, fmt.Errorf("report of path %q: %w", r.Path, err)
	}
	said.out = counts(r.Out)
	return said, nil
}

func hashes(keys []byte) ([]Hash, error) {
	const size = len(Hash{})
	if len(keys)%size != 0 || len(keys) > MaxKeys*size {
		return nil, fmt.Errorf("keys have %d bytes; want %d for each, and at most %d keys",
			len(keys), size, MaxKeys)
	}
	var all []Hash
	for one := range slices.Chunk(keys, size) {
		h := Hash(one)
		if n := len(all); n > 0 && slices.Compare(all[n-1][:], h[:]) >= 0 {
			return nil, fmt.Errorf("key %x comes after %x; want them ascending", h, all[n-1])
		}
		all = append(all, h)
	}
	return all, nil
}

// numbered returns how many children have no key.
func numbered(out map[string]int, keys int) (int, error) {
	sum := int64(-keys)
	for queue, n := range out {
		if queue == "" || len(queue) > maxQueue || n < 0 || n > MaxNumber {
			return 0, fmt.Errorf("out has %d for the queue %.40q; want the name of a queue and 0 to %d",
				n, queue, MaxNumber)
		}
		if sum += int64(n); sum > MaxNumber {
			return 0, fmt.Errorf("out has more than %d children", MaxNumber)
		}
	}
	if sum < 0 {
		return 0, fmt.Errorf("out has %d children fewer than the %d keys", -sum, keys)
	}
	return int(sum), nil
}
