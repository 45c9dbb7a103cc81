package console

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// settingsOf are the options of an operation, as people read them.
func settingsOf(s operation.State) (all []setting) {
	add := func(name, value string) {
		if value != "" {
			all = append(all, setting{name, value})
		}
	}
	add("To", s.To)
	add("Archive", s.Archive)
	add("Batches", sizes(s.Intent.Batches))
	if len(s.Intent.Batches) > 0 {
		add("Watched for", orNothing(cmp.Or(s.Report.Watch, s.Watch)))
	}
	if s.Tolerate > 0 {
		add("Tolerated", strconv.FormatFloat(100*s.Tolerate, 'f', -1, 64)+" % of a batch")
	}
	if s.Rate > 0 {
		add("Rate", strconv.FormatFloat(s.Rate, 'f', -1, 64)+" a second")
	}
	if s.Copy {
		add("Copy", "made first")
	}
	if s.RedriveID != s.ID {
		add("Redrive id", s.RedriveID)
	}
	return all
}

// rest estimates how long an operation without batches takes yet, by what it has done so far.
func rest(s operation.State, now time.Time) string {
	done := s.Report.Moved
	if s.Status != operation.Running || s.Copying || len(s.Intent.Batches) > 0 || done == 0 {
		return ""
	}
	return about(time.Duration(float64(now.Sub(s.Began)) / float64(done) * float64(max(0, s.Count-done))))
}

func sizes(all []int) string {
	text := make([]string, len(all))
	for i, n := range all {
		text[i] = strconv.Itoa(n)
	}
	return strings.Join(text, ",")
}

func orNothing(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return short(d)
}

// short writes a duration without the parts that are 0.
func short(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// moved is what became of messages, by the kind of operation.
var moved = map[operation.Kind]string{
	operation.Redrive: "redriven", operation.Archive: "archived", operation.Delete: "deleted", operation.Export: "exported",
}

// reportLines says what an operation has done so far, each number in words.
func reportLines(v view, s operation.State) []string {
	r := s.Report
	lines := []string{fmt.Sprintf("%s %s, of %s planned", v.Plural(r.Moved, "message", "messages"), moved[s.Kind], v.Count(s.Count))}
	add := func(n int, one, many string) {
		if n > 0 {
			lines = append(lines, v.Plural(n, one, many))
		}
	}
	add(r.Missing, "was not there any more", "were not there any more")
	add(r.Copied, "message is in the copy", "messages are in the copy")
	add(failedAgain(s), "failed again", "failed again")
	add(r.Failed, "could not be published, and is still parked", "could not be published, and are still parked")
	add(r.Illegible, "stays parked, because its headers are nested too deep to be copied", "stay parked, because their headers are nested too deep to be copied")
	add(r.MaybeTwice, "of those may still be parked too, because a connection was lost", "of those may still be parked too, because a connection was lost")
	if len(r.Targets) > 0 {
		to := make([]string, 0, len(r.Targets))
		for _, t := range r.Targets[:min(len(r.Targets), mostSeen)] {
			to = append(to, foreign.Line(t, mostName))
		}
		lines = append(lines, "to "+strings.Join(to, ", "))
	}
	return lines
}

// operationCommand is the line of the command that does the same.
func operationCommand(s operation.State) string {
	if s.GoesOn != "" && s.Kind != operation.Redrive {
		return ""
	}
	verb := map[operation.Kind]string{
		operation.Redrive: "redrive", operation.Export: "export", operation.Archive: "discard", operation.Delete: "discard",
	}[s.Kind]
	line := []string{"errors", verb, s.Queue}
	switch f, err := errorqueue.ParseFilter(s.Filter); {
	case err != nil, s.ByMarks, s.Filter == "" && !s.All: // ticked ones, or of a filter that sees what pages show
		return ""
	case s.All && s.Before.IsZero() && s.Kind != operation.Export:
		line = append(line, "--all")
	default:
		if !s.Before.IsZero() && (f.Before.IsZero() || s.Before.Before(f.Before)) {
			f.Before = s.Before
		}
		line = append(line, words(f)...)
	}
	if s.Kind != operation.Export {
		line = append(line, flagsOf(s)...)
	}
	return commandLine(line...)
}

// flagsOf are the flags of the command that does the same.
func flagsOf(s operation.State) (line []string) {
	add := func(flag, value string) {
		if value != "" {
			line = append(line, flag, value)
		}
	}
	if s.Kind == operation.Delete {
		line = append(line, "--delete")
	}
	add("--archive", s.Archive)
	add("--to", s.To)
	add("--within", strconv.Itoa(s.Within))
	add("--now", s.Now.UTC().Format(time.RFC3339Nano))
	add("--limit", strconv.Itoa(s.Count))
	add("--batches", sizes(s.Intent.Batches))
	add("--watch", orNothing(s.Watch))
	if s.Tolerate > 0 {
		add("--tolerate", strconv.FormatFloat(s.Tolerate, 'g', -1, 64))
	}
	if s.Rate > 0 {
		add("--rate", strconv.FormatFloat(s.Rate, 'g', -1, 64))
	}
	add("--redrive-id", s.RedriveID)
	return line
}
