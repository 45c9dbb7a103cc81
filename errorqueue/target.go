package errorqueue

import (
	"strings"

	"github.com/bunnicula-go/bunnicula/topology"
)

// targetOf is the queue that a message came from, and how that is known. The header knows best. The
// broker knows where the message died: that may be a queue that a consumer has beside its main
// queue.
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

// mainOf is the main queue, if the queue is one that its consumer declares beside it; else the
// queue itself.
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
