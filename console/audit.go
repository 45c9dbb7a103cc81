package console

import "github.com/bunnicula-go/bunnicula/internal/foreign"

// audit notes what the viewer does, before it is done and, with an outcome, after it. If it cannot
// be noted, nothing must be done.
func (a *answer) audit(what action, subject, detail, outcome string) error { //nolint:unparam // a log that is a file can fail
	a.console.cfg.Log.Info("console change", "action", string(what), "subject", foreign.Line(subject, 500), "detail", foreign.Line(detail, 1000),
		"outcome", foreign.Line(outcome, 500), "who", foreign.Line(a.user.Name, 255), "remote", a.r.RemoteAddr)
	return nil
}
