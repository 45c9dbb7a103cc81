package health

import "time"

// Status is the state of an app.
type Status string

// The statuses. The package documentation shows the transitions between them.
const (
	Starting Status = "starting" // it has not been ready yet
	OK       Status = "ok"       // everything is good
	Degraded Status = "degraded" // something has been bad for less than Config.ErrorAge
	Down     Status = "down"     // something has been bad for longer
)

// judge derives the Status from one look after the other.
type judge struct {
	config    Config
	began     time.Time
	status    Status
	badSince  time.Time // zero while it is good
	goodSince time.Time // zero while it is bad
}

func newJudge(c Config, now time.Time) judge { return judge{config: c, began: now, status: Starting} }

func (j *judge) see(now time.Time, good bool) Status {
	if good {
		j.status = j.seeGood(now)
	} else {
		j.status = j.seeBad(now)
	}
	return j.status
}

func (j *judge) seeGood(now time.Time) Status {
	j.badSince = time.Time{}
	if j.goodSince.IsZero() {
		j.goodSince = now
	}
	if j.status == Down && now.Sub(j.goodSince) < j.config.Recovery {
		return Down
	}
	return OK
}

func (j *judge) seeBad(now time.Time) Status {
	j.goodSince = time.Time{}
	if j.badSince.IsZero() {
		j.badSince = now
	}
	switch {
	case j.status == Down:
		return Down
	case j.status == Starting && now.Sub(j.began) < j.config.Grace:
		return Starting
	case j.status != Starting && now.Sub(j.badSince) < j.config.ErrorAge:
		return Degraded
	}
	return Down
}
