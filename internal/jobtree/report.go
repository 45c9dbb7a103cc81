// Package jobtree knows what a job of many messages has done. A job is a tree: a message is a node,
// and what its handler published are its children. Each node that is done has a Report, and a Tree
// is the union of all reports of a job, in any order and however often. It has no clock and does no
// I/O.
package jobtree

// Report says that a node is done, and what children it has. The outputs are confirmed before it is
// written.
type Report struct {
	Job   string `json:"job"`
	Path  string `json:"path"`            // of the node, as in the header job-path; "" is the job's start
	Stage string `json:"stage,omitempty"` // the queue in which the message was; "" for the start
	// Out is how many children each stage has got: queue to number. They are numbered from 1 on,
	// over all queues together. A continuation is not among them.
	Out map[string]int `json:"out,omitempty"`
	// Again says that the node has a continuation in its own stage.
	Again bool `json:"again,omitempty"`
	// Keys are the keyed children, whatever their stage, 8 bytes each, ascending. They are in Out
	// too.
	Keys []byte `json:"keys,omitempty"`
}
