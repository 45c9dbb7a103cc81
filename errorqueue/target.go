package errorqueue

import (
	"strings"

	"github.com/bunnicula-go/bunnicula/topology"
)

// targetOf returns the queue from which a message came, and how that is known. The header is the
// best source. The broker's record may name a queue that a consumer has beside its main queue.
func (q *Queue) targetOf(header string, deaths []Death) (string, string) {
	if header != "" && header != q.name {
		return header, fromHeader
	}
	for _, d := range deaths {
		if d.Queue != "" && d.Queue != q.name {
			return q.mainOf(d.Queue), fromDeath
		}
	}
	if q.main != "" {
		return q.main, fromOpened
	}
	return "", fromNobody
}

// mainOf returns the main queue if the queue is one that a consumer declares beside it, otherwise
// the queue itself.
func (q *Queue) mainOf(queue string) string {
	if q.main == "" {
		return queue
	}
	retry := q.main + "-retry"
	if queue == topology.QuarantineQueue(q.main) || queue == retry || strings.HasPrefix(queue, retry+"-") {
		return q.main
	}
	return queue
}
