package amqptest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/rs/zerolog"
)

// carrier is what links of all proxies need of toxiproxy: no logger and no metrics.
var carrier = toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())

// Some toxics log by the logger of the process.
func init() { zerolog.SetGlobalLevel(zerolog.Disabled) }

// speed is that of a link, each way; zeroes limit nothing.
type speed struct {
	latency time.Duration
	rate    int // kB/s
}

// Slow delays everything by latency, each way, and lets no more through than so many kilobytes a
// second, each way and on each connection; zero is no limit. It is for connections old and new, until
// [Proxy.Fast].
func (p *Proxy) Slow(latency time.Duration, kilobytesPerSecond int) {
	p.setSpeed(speed{latency, kilobytesPerSecond})
}

// Fast ends a [Proxy.Slow]. Nothing is lost: what is on its way arrives at once.
func (p *Proxy) Fast() { p.setSpeed(speed{}) }

func (p *Proxy) setSpeed(s speed) {
	p.pace.Lock()
	defer p.pace.Unlock()
	p.speed = s
	p.mu.Lock()
	var links []*link
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock() // bytes must move while toxics change
	for _, l := range links {
		unslow(l.toxics)
		slow(l.toxics, s)
	}
}

func slow(toxics *toxiproxy.ToxicCollection, s speed) {
	for _, direction := range []stream.Direction{stream.Upstream, stream.Downstream} {
		if s.latency > 0 {
			add(toxics, "latency", direction, "latency", s.latency.Milliseconds())
		}
		if s.rate > 0 {
			add(toxics, "bandwidth", direction, "rate", int64(s.rate))
		}
	}
}

func add(toxics *toxiproxy.ToxicCollection, kind string, direction stream.Direction, attribute string, value int64) {
	_, err := toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name": "%s %s", "type": %[1]q, "stream": %[2]q, "attributes": {%[3]q: %[4]d}}`, kind, direction, attribute, value)))
	if err != nil {
		panic(err) // toxiproxy does not know its own toxics
	}
}

// unslow takes away what slow has added, the last first: a toxic that is taken away passes on what it
// has, and drops it if the next one takes more than 5 s to accept it.
func unslow(toxics *toxiproxy.ToxicCollection) {
	for _, direction := range []stream.Direction{stream.Upstream, stream.Downstream} {
		for _, kind := range []string{"bandwidth", "latency"} {
			// The only error is that there is none.
			_ = toxics.RemoveToxic(context.Background(), kind+" "+direction.String())
		}
	}
}
