package console

import (
	"fmt"
	"time"
)

// pastData is what a page shows of what a queue was.
type pastData struct {
	Day       bool
	Points    []pastRow // the oldest first
	From, To  moment
	MostReady int
	MostRate  float64
	Rates     bool // some are known
	API       bool // the management API tells, and not what this console has seen
	Kept      string
	Err       string
	Begin     time.Time
	Age       time.Duration
}

// pastRow is one point. A nil field is unknown.
type pastRow struct {
	At      moment
	Ready   *int
	In, Out *float64
	at      time.Time
}

// drawn makes the chart of what a queue was until now.
func drawn(v view, p *past, now time.Time) pastData {
	d := pastData{Day: p.day, API: p.api, Begin: now.Add(-p.age), Age: p.age, From: v.Time(now.Add(-p.age)), To: v.Time(now)}
	if p.kept > 0 && p.kept < p.age {
		d.Kept = plain(p.kept)
	}
	if p.err != nil {
		d.Err = p.err.Error()
	}
	for _, point := range p.points {
		at := point.At
		if at.Before(d.Begin) {
			continue
		}
		if at.After(now) { // the API rounds up
			at = now
		}
		d.Points = append(d.Points, pastRow{At: v.Time(at), Ready: point.Ready, In: point.In, Out: point.Out, at: at})
		if point.Ready != nil {
			d.MostReady = max(d.MostReady, *point.Ready)
		}
		for _, rate := range []*float64{point.In, point.Out} {
			if rate != nil {
				d.MostRate, d.Rates = max(d.MostRate, *rate), true
			}
		}
	}
	return d
}

// plain writes a duration of whole minutes or hours.
func plain(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}

// place is a point of a line in its picture, from 0 to 1 each.
type place struct {
	X, Y float64
	Gap  bool // nothing is known between the one before and this one
}

// line returns the places of one series. value says nothing for what is unknown.
func (d pastData) line(most float64, value func(pastRow) (float64, bool)) (all []place) {
	gap := true
	for _, p := range d.Points {
		n, known := value(p)
		if !known {
			gap = true
			continue
		}
		y := 0.0
		if most > 0 {
			y = n / most
		}
		all = append(all, place{X: min(1, max(0, float64(p.at.Sub(d.Begin))/float64(d.Age))), Y: y, Gap: gap})
		gap = false
	}
	return all
}

func readyOf(p pastRow) (float64, bool) {
	if p.Ready == nil {
		return 0, false
	}
	return float64(*p.Ready), true
}

func inOf(p pastRow) (float64, bool)  { return rateOf(p.In) }
func outOf(p pastRow) (float64, bool) { return rateOf(p.Out) }

func rateOf(rate *float64) (float64, bool) {
	if rate == nil {
		return 0, false
	}
	return *rate, true
}

// Newest returns the points for the table, the newest first.
func (d pastData) Newest() []pastRow {
	all := make([]pastRow, 0, len(d.Points))
	for i := len(d.Points) - 1; i >= 0; i-- {
		all = append(all, d.Points[i])
	}
	return all
}
