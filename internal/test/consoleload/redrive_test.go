package consoleload

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

var button = regexp.MustCompile(`<button class="do">Redrive ([0-9\x{00a0}\x{202f} ,]+)</button>`)

// later is how many messages are parked after the plan: they must stay.
const later = 10

// redrive plans the redrive of all messages, and carries it out.
func redrive(b *table, s *site, before int64) {
	b.t.Helper()
	const filter = "reason=timeout"
	s.heap() // the highest begins here
	plan := s.get(s.page() + "/plan?kind=redrive&filter=" + url.QueryEscape(filter))
	b.note("the plan of all messages", short(plan.took))
	again := s.get(s.page() + "/plan?kind=redrive&filter=" + url.QueryEscape(filter))
	b.note("the same plan once more", short(again.took))
	b.note("heap at its highest during the plans", mib(s.heap().Highest))
	b.most("the plan's page, bytes", len(plan.body), 1<<20)
	number := button.FindSubmatch(again.body)
	if number == nil {
		b.t.Fatalf("the plan has no button:\n%s", again.body)
	}
	b.add(digits(string(number[1])) == digits(grouped(*messages)), "the number on the button", digits(string(number[1])), digits(grouped(*messages)))
	_, text, _ := strings.Cut(string(again.body), `<form class="plan"`)
	form := url.Values{}
	for _, f := range formFields.FindAllStringSubmatch(text, -1) {
		if f[1] != "copy" {
			form.Set(f[1], f[2])
		}
	}
	form.Set("batches", "")
	publish(b.t, s.queue, *messages, *messages+later)
	began := time.Now()
	link, took := s.post(s.page()+"/redrive", form)
	b.note("until the redrive has begun: its marks and intent are on the disk", short(took))
	amqptest.Eventually(b.t, time.Hour, func() bool {
		time.Sleep(250 * time.Millisecond)
		return !s.get(link).has(`class="run progress"`)
	}, "the redrive is not over")
	b.note("the redrive", short(time.Since(began)))
	b.add(s.get(link).has("Done."), "the redrive is done", "", "true")
	moved, left := 0, 0
	amqptest.Eventually(b.t, time.Minute, func() bool {
		moved, left = amqptest.Depth(b.t, s.queue), amqptest.Depth(b.t, s.queue+"-error")
		return moved+left == *messages+later
	}, "the queues do not have all messages")
	b.count("messages that were moved", moved, *messages)
	b.count("messages that stay, since they came after the plan", left, later)
	now, highest := resident(b.t, s.process.Pid())
	b.note("RSS growth after the redrive", mib(now-before))
	b.bytes("RSS growth at its highest, from plan to end and before", highest-before, mostMemory+moreMemory+operating)
	h := s.heap()
	b.note("heap at its highest during the redrive", mib(h.Highest))
	b.note("live heap after the redrive", mib(h.Live))
}

// digits removes what groups the digits of a number.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
