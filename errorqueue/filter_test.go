package errorqueue

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// chooses says whether a filter chooses a message.
func chooses(t *testing.T, f Filter, m *Message) bool {
	t.Helper()
	at, err := f.at(now)
	if err != nil {
		t.Fatal(err)
	}
	subject := m.subject()
	return at.Matches(&subject)
}

func TestAMessageWithoutATimeIsAsOldAsItWasPublishedOrOfNoAge(t *testing.T) {
	m := &Message{Timestamp: now.Add(-time.Hour)}
	if !chooses(t, Filter{OlderThan: 30 * time.Minute}, m) {
		t.Error("the time of publishing is not used")
	}
	m.Timestamp = time.Time{}
	for _, f := range []Filter{{OlderThan: time.Nanosecond}, {NewerThan: 10000 * time.Hour}} {
		if chooses(t, f, m) {
			t.Errorf("%v fits what has no age", f)
		}
	}
}

func TestEachTermLooksAtItsFieldOfAMessage(t *testing.T) {
	m := &Message{
		ID: "1", Reason: "2", Type: "3", Error: "4", Group: "5", Consumer: "6", Host: "7", App: "8", AppVersion: "9", Target: "10", RedriveID: "13", Mark: "14",
		FailedAt: now.Add(-time.Hour), Headers: map[string]any{"tenant": "11"}, Body: []byte(`{"n":12}`),
	}
	const text = `reason=2 type=3 group=5 id=1 consumer=6 host=7 app=8 version=9 queue=10 error~4 older=59m newer=61m header.tenant=11 body.n=12 redrive=13 mark=14 before=2100-01-01 after=2000-01-01`
	f, err := ParseFilter(text)
	want := Filter{
		Reasons: []string{"2"}, ErrorTypes: []string{"3"}, ErrorContains: "4", Groups: []string{"5"}, IDs: []string{"1"}, Consumers: []string{"6"},
		Hosts: []string{"7"}, Apps: []string{"8"}, Versions: []string{"9"}, Targets: []string{"10"}, OlderThan: 59 * time.Minute, NewerThan: 61 * time.Minute,
		RedriveIDs: []string{"13"}, Marks: []string{"14"},
		Before: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), After: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		Headers: []HeaderMatch{{Name: "tenant", Value: "11"}}, Body: []BodyMatch{{Path: "n", Value: "12"}},
	}
	if err != nil || !reflect.DeepEqual(f, want) || f.IsZero() || !(Filter{}).IsZero() {
		t.Fatalf("got %+v, %v", f, err)
	}
	if !chooses(t, f, m) {
		t.Error("the message that has all of it is not chosen")
	}
	if again, err := ParseFilter(f.String()); err != nil || !reflect.DeepEqual(again, f) {
		t.Errorf("%q is read back as %+v, %v", f, again, err)
	}
}

func TestAWrongFilterIsAFieldError(t *testing.T) {
	_, parsed := ParseFilter("older=soon")
	_, terms := ParseTerms("reason=timeout older=2h")
	_, at := Filter{NewerThan: -1}.at(now)
	for want, err := range map[string]error{
		`filter: older is "soon", want a duration above 0, such as 90s, 15m, 2h30m or 3d`:                              parsed,
		`a term is "reason=timeout older=2h", want each term as an argument of its own, or its value in double quotes`: terms,
		`Filter.NewerThan is "-1ns", want no less than 0`:                                                              at,
	} {
		if err == nil || err.Error() != want || !errors.As(err, new(*FieldError)) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
