package consoleload

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

const (
	mostMemory = 256 << 20 // bytes of rows, as the console has it by default
	moreMemory = 128 << 20 // bytes beside those
	operating  = 256 << 20 // bytes beside those while an operation of 700,000 runs: its marks, what errorqueue remembers, garbage
	mostTimes  = 1.75      // as long as errorqueue's groups: each message is also kept, and pages are shown meanwhile
)

// page is the path of the error queue's page.
func (s *site) page() string { return "/q/" + s.queue + "-error" }

// reading is what a browser has seen of one reading.
type reading struct {
	took   time.Duration   // as the page says
	groups time.Duration   // until kinds of failure were on the page
	paints []time.Duration // whole pages while it ran
}

// read has the queue read, by the link of its page, while a browser follows, and others come too if
// they are to.
func (s *site) read(visited bool) (r reading) {
	s.t.Helper()
	link := readLink.FindSubmatch(s.known().body)
	if link == nil {
		s.t.Fatal("the page has no link that begins a reading")
	}
	version, _ := strconv.Atoi(string(link[1]))
	began := time.Now()
	s.get(s.page() + "?read=" + string(link[1]))
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	var visitors sync.WaitGroup
	if visited {
		visitors.Go(func() { r.paints = s.visit(ctx) })
	}
	s.browser(ctx, s.page(), func(g got) bool {
		if r.groups == 0 && groupLink.Match(g.body) {
			r.groups = time.Since(began)
		}
		return !s.over(g, version)
	})
	cancel()
	visitors.Wait()
	took := tookOf.FindSubmatch(s.get(s.page()).body)
	if took == nil {
		s.t.Fatal("the page does not say how long the reading took")
	}
	r.took, _ = time.ParseDuration(string(took[1]))
	return r
}

// known loads the queue's page when it is known how many messages the queue has.
func (s *site) known() (g got) {
	s.t.Helper()
	amqptest.Eventually(s.t, time.Minute, func() bool {
		g = s.get(s.page())
		return readLink.Match(g.body)
	}, "the page offers no reading")
	return g
}

// over says whether a page is of a reading that is over.
func (s *site) over(g got, version int) bool {
	of := versionOf.FindSubmatch(g.body)
	return of != nil && string(of[1]) == strconv.Itoa(version) && tookOf.Match(g.body) && !g.has("Reading: ")
}

// visit loads the whole page each 500 ms.
func (s *site) visit(ctx context.Context) (paints []time.Duration) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return paints
		case <-tick.C:
		}
		if g := s.try(s.page()); g.has("Reading: ") {
			paints = append(paints, g.took)
		}
	}
}

// plainGroups is a reading by errorqueue alone, without the time that its connection takes.
func plainGroups(t *testing.T, queue string) time.Duration {
	t.Helper()
	q, err := errorqueue.Open(t.Context(), connecttest.New(t, connection.Config{}), errorqueue.Named(queue), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(context.Background())
	began := time.Now()
	report, err := q.Groups(t.Context(), errorqueue.GroupOptions{})
	took := time.Since(began)
	if err != nil || report.Messages != *messages || len(report.Groups) != min(kinds, *messages) {
		t.Fatalf("%d messages in %d groups: %v", report.Messages, len(report.Groups), err)
	}
	return took
}

// TestTheConsoleUnderLoad is the whole of a queue's life: it is read, looked at, and redriven.
func TestTheConsoleUnderLoad(t *testing.T) {
	amqptest.Long(t)
	b := &table{t: t}
	defer b.print()
	queue := park(t, "load", *messages)
	s := open(t, queue, amqptest.URL(t))
	s.get("/")
	before, _ := resident(t, s.process.Pid())
	b.note("RSS before anybody opens a queue", mib(before))
	b.times("first paint of a queue that nobody has opened", []time.Duration{s.get(s.page()).took}, 300*time.Millisecond)
	readings(b, s, before)
	looks(b, s)
	redrive(b, s, before)
}

// readings compares readings of the console with those of errorqueue, each with the one before or
// after it. Each goes first in turn.
func readings(b *table, s *site, before int64) {
	b.t.Helper()
	var passes, plain, paints, groups []time.Duration
	for round := range *rounds {
		if round%2 == 0 {
			plain = append(plain, plainGroups(b.t, s.queue))
		}
		r := s.read(round == 0)
		passes, paints, groups = append(passes, r.took), append(paints, r.paints...), append(groups, r.groups)
		if round == 0 {
			now, highest := resident(b.t, s.process.Pid())
			b.bytes("RSS growth after the first reading", now-before, mostMemory+moreMemory)
			b.bytes("RSS growth at its highest in the first reading", highest-before, mostMemory+moreMemory)
		}
		if round%2 == 1 {
			plain = append(plain, plainGroups(b.t, s.queue))
		}
	}
	b.times("first paint while the queue is read", paints, 300*time.Millisecond)
	b.times("until kinds of failure are on the page", groups, time.Second)
	b.note("errorqueue's groups", fmt.Sprint(rounded(plain)))
	b.note("readings of the console", fmt.Sprint(rounded(passes)))
	var ratios []float64
	for i := range passes {
		ratios = append(ratios, float64(passes[i])/float64(plain[i]))
	}
	ratio := median(ratios)
	b.add(amqptest.Raced() || ratio <= mostTimes**slack, "reading beside errorqueue's groups, median", fmt.Sprintf("%.2f times, of %.2f", ratio, ratios), fmt.Sprintf("at most %.2f", mostTimes**slack))
	b.note("live heap after the readings", mib(s.heap().Live))
	list := s.get(s.page() + "?show=list")
	want := strings.Contains(string(list.body), "of <b>"+grouped(*messages)+"</b>")
	b.add(want, "all messages are in the list", fmt.Sprint(want), "true")
}

func rounded(all []time.Duration) (texts []string) {
	for _, d := range all {
		texts = append(texts, short(d))
	}
	return texts
}

// grouped writes a number as pages do.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

// looks measures filters, pages and messages after a reading.
func looks(b *table, s *site) {
	b.t.Helper()
	n := *messages
	var filters, pages, whole []time.Duration
	var largest int
	for i := range 10 { // each is another one, so that none is remembered
		for _, f := range []string{
			fmt.Sprintf(`reason=timeout error~"ORDER %d" older=1h`, 7*i+1), fmt.Sprintf("version=1.%d host=host-%d", i%5, 3*i+5*i%5), fmt.Sprintf(`error~"nowhere %d"`, i),
		} {
			g := s.get(s.page() + "?filter=" + url.QueryEscape(f))
			filters, largest = append(filters, g.took), max(largest, len(g.body))
		}
	}
	last := (n + 49) / 50
	filter := "&filter=" + url.QueryEscape(`reason=timeout error~"order 1"`)
	s.get(s.page() + "?show=list" + filter)
	var marks []string
	for i := range 10 {
		for _, more := range []string{"", filter} {
			at := 1 + i*(last-1)/9
			if more != "" {
				at = i + 1
			}
			g := s.get(fmt.Sprintf("%s?show=list&page=%d%s", s.page(), at, more))
			pages, largest = append(pages, g.took), max(largest, len(g.body))
			marks = append(marks, markLink.FindString(string(g.body)))
		}
	}
	groups := s.get(s.page())
	pages = append(pages, groups.took, s.get(groupLink.FindString(string(groups.body))).took)
	unchanged := true
	for _, mark := range marks {
		g := s.get(mark)
		whole, largest = append(whole, g.took), max(largest, len(g.body))
		unchanged = unchanged && g.has(exact)
	}
	b.times("a filter that nobody has asked for", filters, 500*time.Millisecond)
	b.times("a page of a list, or of a kind", pages, 150*time.Millisecond)
	b.times("a message with its body, of the spool", whole, 150*time.Millisecond)
	b.add(unchanged, exact+" in each body", fmt.Sprint(unchanged), "true")
	b.most("the largest of these pages, bytes", largest, 1<<20)
}
