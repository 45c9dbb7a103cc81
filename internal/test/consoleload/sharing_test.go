package consoleload

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

const (
	browsers   = 20
	watched    = 16 * time.Second // by all of them, without a change
	askEvery   = 5 * time.Second
	lookLasts  = time.Minute // a page that was loaded counts as watched for so long
	overviewOf = time.Second // each browser loads the overview again so often
)

// TestManyBrowsersCostTheBrokerWhatOneDoes counts what the console asks the broker for.
func TestManyBrowsersCostTheBrokerWhatOneDoes(t *testing.T) {
	amqptest.Long(t)
	b := &table{t: t}
	defer b.print()
	n := min(*messages, 20_000)
	queue := park(t, "share", n)
	wire := newTap(t, amqptest.URL(t))
	s := open(t, queue, wire.url)

	before := wire.since(queue, counted{})
	began := time.Now()
	overviews(s, watched)
	during := wire.since(queue, before)
	b.count("deliveries while "+fmt.Sprint(browsers)+" browsers look at the overview", during.deliveries, 0)
	b.most("looks at the broker meanwhile, "+short(time.Since(began)), during.asked, looksIn(time.Since(began)))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all, done sync.WaitGroup
	for range browsers {
		done.Add(1)
		all.Go(func() {
			once := sync.OnceFunc(done.Done)
			defer once()
			s.try(s.page())
			s.browser(ctx, s.page(), func(g got) bool {
				if s.over(g, 1) {
					once()
				}
				return true
			})
		})
	}
	done.Wait()
	read := wire.since(queue, before)
	// One reading, and the first message once or twice more, to find the queue's delivery limit.
	b.most(fmt.Sprintf("deliveries when %d browsers open a queue of %d", browsers, n), read.deliveries, n+2)
	b.add(read.deliveries >= n, "all of it was read", fmt.Sprint(read.deliveries), fmt.Sprintf("at least %d", n))

	parking := queue + "-error"
	before, began = wire.since(parking, counted{}), time.Now()
	time.Sleep(watched)
	during = wire.since(parking, before)
	b.most("looks at the queue while all watch it, "+short(time.Since(began)), during.asked, looksIn(time.Since(began)))
	b.count("deliveries meanwhile", during.deliveries, 0)
	cancel()
	all.Wait()
	time.Sleep(lookLasts + askEvery)
	before = wire.since(parking, counted{})
	time.Sleep(watched)
	b.count("requests to the broker a minute after they have left", wire.since(parking, before).methods, 0)
}

func looksIn(d time.Duration) int { return int(d/askEvery) + 1 }

// overviews has all browsers look at the overview for a while.
func overviews(s *site, during time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), during)
	defer cancel()
	var all sync.WaitGroup
	for range browsers {
		all.Go(func() {
			tick := time.NewTicker(overviewOf)
			defer tick.Stop()
			for {
				s.try("/")
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	all.Wait()
}
