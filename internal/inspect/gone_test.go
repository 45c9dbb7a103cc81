package inspect

import (
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/management"
)

func subscribed(queue, tag string, active bool) (c management.Consumer) {
	c.Queue.Name, c.Tag, c.Active = queue, tag, active
	return c
}

// Whom the queue takes for the active one is known 11 s late, and who is subscribed at once.
func TestOnlyWhoIsGoneInBothLooksIsBlamed(t *testing.T) {
	held := management.Queue{SingleActive: "a", Leader: "rabbit@one", Node: "rabbit@two"}
	waits := []management.Consumer{subscribed("q", "c", false), subscribed("other", "a", false)}
	for name, test := range map[string]struct {
		active         int // that AMQP counts
		queue, then    management.Queue
		first, second  []management.Consumer
		suspect, blame bool
	}{
		"gone, and one stands by":        {1, held, held, waits, waits, true, true},
		"gone, and nobody else is there": {1, held, held, nil, nil, true, true},
		"one that has just ended":        {1, held, management.Queue{SingleActive: "c"}, waits, []management.Consumer{subscribed("q", "c", true)}, true, false},
		"another one each time":          {1, held, management.Queue{SingleActive: "b"}, waits, waits, true, false},
		"one that is there":              {1, held, held, []management.Consumer{subscribed("q", "a", true)}, nil, false, false},
		"one that is to give way":        {1, held, held, []management.Consumer{subscribed("q", "a", false)}, nil, false, false},
		"nobody is active":               {0, held, held, waits, waits, false, false},
		"an API that does not know":      {1, management.Queue{}, management.Queue{}, waits, waits, false, false},
	} {
		p := Partition{Queue: "q", State: Present, Consumers: number(test.active)}
		p.hold(test.first)
		p.suspect = suspectOf(&p, test.queue, test.first)
		if (p.suspect != nil) != test.suspect {
			t.Errorf("%s: the suspect is %+v", name, p.suspect)
		}
		if p.judge(1); p.Trouble == PartitionGone {
			t.Errorf("%s: blamed after one look", name)
		}
		if p.suspect == nil {
			continue
		}
		p.confirm(test.then, test.second)
		if p.judge(1); (p.Trouble == PartitionGone) != test.blame || test.blame && (!p.Still || p.Gone.Node != "rabbit@one") {
			t.Errorf("%s: %+v, gone %+v", name, p.Standing, p.Gone)
		}
	}
}
