package errorqueue

import (
	"strings"

	"github.com/bunnicula-go/bunnicula/topology"
)

// targetOf is the queue that a message came from. The header knows best; the broker knows where it died, which
// may be a queue that a consumer keeps for itself, beside its main one.
func (q *Queue) targetOf(header string, deaths []Death) (string, TargetSource) {
	if header != "" && header != q.name {
		return header, FromHeader
	}
	for _, d := range deaths {
		if d.Queue != "" && d.Queue != q.name {
			return q.mainOf(d.Queue), FromDeath
		}
	}
	if q.main != "" {
		return q.main, FromOpened
	}
	return "", FromNobody
}

// mainOf is the queue that a consumer's own queue belongs to, or else the queue itself.
func (q *Queue) mainOf(queue string) string {
	if q.main != "" && (queue == topology.QuarantineQueue(q.main) || strings.HasPrefix(queue, q.main+"-retry-") || queue == q.main+"-retry") {
		return q.main
	}
	return queue
}
