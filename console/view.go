package console

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// view is how a viewer wants to see pages: in which zone. Links keep it.
type view struct {
	base string   // what the paths of links begin with
	at   []string // the segments of this page
	zone *time.Location
	name string // of the zone in links, "" for UTC
	now  time.Time
	keys []string // Config.IndexKeys
}

// view reads the viewer's choice from the request.
func (a *answer) view() view {
	v := view{base: a.base, at: a.parts, zone: time.UTC, now: time.Now(), keys: a.console.cfg.IndexKeys}
	switch name := a.r.URL.Query().Get("zone"); name {
	case "", "UTC", "Local":
	case "local":
		v.zone, v.name = time.Local, name
	default:
		if zone, err := time.LoadLocation(name); err == nil {
			v.zone, v.name = zone, name
		}
	}
	return v
}

// zoneLink is a choice of the zone.
type zoneLink struct {
	Name    string
	Href    string
	Current bool
	Local   bool // our script sets the browser's zone
}

// zones returns the links that show the same page in another zone.
func (v view) zones(u *url.URL) []zoneLink {
	link := func(zone string) string {
		q := u.Query()
		q.Del("zone")
		q.Del("read")
		q.Del("again")
		q.Del("load")
		if zone != "" {
			q.Set("zone", zone)
		}
		return pathTo(v.base, v.at...) + query(q)
	}
	local := zoneLink{Name: "local", Href: link("local"), Current: v.name != "", Local: true}
	if v.name != "" {
		local.Href = link(v.name)
	}
	return []zoneLink{{Name: "UTC", Href: link(""), Current: v.name == ""}, local}
}

// query returns values as the end of a link.
func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Link makes the link of a page. parameters are names and values; empty values are left out.
func (v view) link(segments []string, parameters ...string) string {
	q := url.Values{}
	if v.name != "" {
		q.Set("zone", v.name)
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			q.Set(parameters[i], parameters[i+1])
		}
	}
	return pathTo(v.base, segments...) + query(q)
}

// many is link for parameters that may have several values.
func (v view) many(segments []string, parameters ...string) string {
	q := url.Values{}
	if v.name != "" {
		q.Set("zone", v.name)
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		q.Add(parameters[i], parameters[i+1])
	}
	return pathTo(v.base, segments...) + query(q)
}

// Link makes the link of a page by its segments.
func (v view) Link(segments ...string) string { return v.link(segments) }

// QueueLink makes the link of an error queue's page with a filter.
func (v view) QueueLink(queue, filter string) string {
	return v.link([]string{"q", queue}, "filter", filter)
}

// Key names a row by a digest of somebody else's text, so that a page keeps it in its place.
func (v view) Key(text string) string { return groupName(text) }

// Base is the path of the overview.
func (v view) Base() string { return v.base }

// Zone is the zone's name for a form, "" for UTC.
func (v view) Zone() string { return v.name }

// moment is a time as pages show it.
type moment struct {
	Known bool
	ISO   string // by RFC 3339, UTC
	Exact string // with the zone
	Short string // without the parts that are those of now
	Age   string // "4m", "2d", "in 4m", "now"
}

// Time shows a time.
func (v view) Time(t time.Time) moment {
	if t = foreign.Known(t); t.IsZero() {
		return moment{}
	}
	in := t.In(v.zone)
	m := moment{Known: true, ISO: t.Format(time.RFC3339), Exact: in.Format("2006-01-02 15:04:05 MST"), Age: age(v.now.Sub(t))}
	now := v.now.In(v.zone)
	switch {
	case in.YearDay() == now.YearDay() && in.Year() == now.Year():
		m.Short = in.Format("15:04:05")
	case in.Year() == now.Year():
		m.Short = in.Format("2 Jan 15:04")
	default:
		m.Short = in.Format("2 Jan 2006")
	}
	return m
}

// age returns a duration in its largest unit.
func age(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "in ", -d
	}
	if d < time.Second {
		return "now"
	}
	for _, u := range []struct {
		name string
		of   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d >= 2*u.of || u.of == time.Minute && d >= u.of {
			return fmt.Sprintf("%s%d%s", sign, d/u.of, u.name)
		}
	}
	return fmt.Sprintf("%s%ds", sign, d/time.Second)
}

// Count writes a number with spaces between thousands.
func (v view) Count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

// Maybe is Count of a number that may be unknown.
func (v view) Maybe(n *int) string {
	if n == nil {
		return ""
	}
	return v.Count(*n)
}

// Rate writes how many there are in a second, "" if that is unknown.
func (v view) Rate(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'f', 1, 64)
}

// Line makes somebody else's text fit into one line.
func (v view) Line(text string) string { return foreign.Line(text, 300) }

// Lines makes somebody else's text fit for several lines.
func (v view) Lines(text string) string { return foreign.Lines(text, 64<<10) }

// Cell is Line for a cell of a table.
func (v view) Cell(text string) string { return foreign.Line(text, 120) }

// Plural says how many there are.
func (v view) Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return v.Count(n) + " " + many
}

// Bytes writes a size.
func (v view) Bytes(n int) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return v.Count(n) + " B"
}
