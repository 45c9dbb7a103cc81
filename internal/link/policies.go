package link

import (
	"context"
	"net/http"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/management"
)

// policies asks the management API what policies make of queues.
type policies struct {
	api   *management.Client // immutable; nil without an API
	vhost string             // immutable
}

func newPolicies(s *Settings) policies {
	p := policies{api: s.Management}
	if len(s.Targets) > 0 {
		p.vhost = s.Targets[0].VHost
	}
	return p
}

// managementTimeout bounds one request.
const managementTimeout = 5 * time.Second

// Effective says how the broker treats a queue. The error is effective.ErrUnknown without a
// management API, effective.ErrNotYet if the API does not know the queue's policies yet, and wraps
// management.ErrNotFound if it does not know the queue.
func (p policies) Effective(ctx context.Context, queue string) (effective.Queue, error) {
	if p.api == nil {
		return effective.Queue{}, effective.ErrUnknown
	}
	ctx, cancel := context.WithTimeout(ctx, managementTimeout)
	defer cancel()
	q, err := p.api.Queue(ctx, p.vhost, queue)
	if err == nil && q.Effective == nil {
		err = effective.ErrNotYet
	}
	return q.Settings(), err
}

// ManagementClient makes the http.Client of a management API. It keeps no connection, so nothing
// has to be closed.
func ManagementClient(t *http.Transport) *http.Client {
	t.DisableKeepAlives = true
	return &http.Client{Transport: t}
}
