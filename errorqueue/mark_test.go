package errorqueue

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestAMarkNamesAMessageByItsIdAndBody(t *testing.T) {
	read := func(id, body string) string {
		m := ordersQueue().read(&amqp.Delivery{MessageId: id, Body: []byte(body), Timestamp: now}, 1)
		return m.Mark
	}
	seen := map[string][2]string{}
	for _, one := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"1", ":"}, {"", "1:"}} {
		mark := read(one[0], one[1])
		if other, there := seen[mark]; there || len(mark) != 32 {
			t.Errorf("%q has the mark %q, as %q", one, mark, other)
		}
		seen[mark] = one
		if again := read(one[0], one[1]); again != mark {
			t.Errorf("%q is %q, and then %q", one, mark, again)
		}
	}
	// People keep marks in files and links, so they stay the same in all versions.
	if mark := read("m1", `{"n": 1}`); mark != "e157d9a6e9bfeff5831e6ec4e3477fdd" {
		t.Errorf("got %q", mark)
	}
}

func TestTimesOfAFilterAreThoseOfParkingOrElseOfPublishing(t *testing.T) {
	m := &Message{Timestamp: now.Add(-time.Hour), FailedAt: now.Add(-time.Minute)}
	for name, test := range map[string]struct {
		f    Filter
		want bool
	}{
		"before it was parked": {Filter{Before: m.FailedAt}, false},
		"after it was parked":  {Filter{After: m.FailedAt}, true},
		"between":              {Filter{After: m.Timestamp, Before: now}, true},
	} {
		if chooses(t, test.f, m) != test.want {
			t.Errorf("%s: want %v", name, test.want)
		}
	}
	m.FailedAt = time.Time{}
	if chooses(t, Filter{After: now.Add(-time.Minute)}, m) || !chooses(t, Filter{After: m.Timestamp}, m) {
		t.Error("the time of publishing is not used")
	}
}
