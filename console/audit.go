package console

import (
	"net"
	"net/http"

	"github.com/bunnicula-go/bunnicula/console/internal/audit"
	"github.com/bunnicula-go/bunnicula/console/internal/operation"
)

// audit writes down what is about to be done. It answers the request itself if that does not work:
// then it must not be done.
func (a *answer) audit(e audit.Entry) bool {
	e.Who, e.From = a.user.Name, a.from()
	if err := a.console.audit.Write(e); err != nil {
		a.problem(&problem{
			Status: http.StatusInternalServerError, Title: "Not done",
			Text: "It could not be written down who does this, so it was not done.",
			Do:   "Look at the directory of StateDir (--state-dir): it must be writable and have space. The log says more.",
		})
		return false
	}
	return true
}

// auditEnd writes down how that has ended. An error of it is logged.
func (a *answer) auditEnd(e audit.Entry, outcome string, err error) {
	e.Who, e.From, e.Outcome = a.user.Name, a.from(), outcome
	if err != nil {
		e.Outcome, e.Err = "failed", err.Error()
	}
	_ = a.console.audit.Write(e)
}

// from is the address from which a request comes.
func (a *answer) from() string {
	host, _, err := net.SplitHostPort(a.r.RemoteAddr)
	if err != nil {
		return a.r.RemoteAddr
	}
	return host
}

// auditOf is the entry of an operation that is about to begin.
func auditOf(i operation.Intent) audit.Entry {
	filter := i.Filter
	if filter == "" && i.All {
		filter = "all"
	}
	return audit.Entry{Action: string(i.Kind), Queue: i.Queue, Filter: filter, Operation: i.ID, RedriveID: i.RedriveID, Count: i.Count}
}

// ended writes down how an operation has ended.
func (c *Console) ended(s operation.State) {
	e := auditOf(s.Intent)
	e.Who, e.From, e.Moved, e.Failed, e.Outcome, e.Err = s.Who, s.From, s.Report.Moved, s.Report.Failed, string(s.Status), s.Err
	_ = c.audit.Write(e) // an error is logged
}
