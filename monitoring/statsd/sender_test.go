package statsd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestMetricsAreSentWhenTheFlushIntervalHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out packets
		m, err := newMonitor(Config{SampleRate: 1, FlushInterval: time.Second}, &out)
		if err != nil {
			t.Fatal(err)
		}
		m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Acked})

		time.Sleep(time.Second - time.Nanosecond)
		synctest.Wait()
		if n := len(out.all()); n != 0 {
			t.Errorf("%d packets were sent early", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if all := out.all(); len(all) != 1 || all[0] != "orders.success:1|c" {
			t.Errorf("sent %q; want one packet", all)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTheHostIsLookedUpUntilItIsFoundAndThenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := new(sender)
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go s.lookup(ctx, address{"statsd.internal", 8125}, func(_ context.Context, network, host string) ([]netip.Addr, error) {
			if network != "ip" || host != "statsd.internal" {
				t.Errorf("looked up %s of %s", network, host)
			}
			switch now := time.Since(start); {
			case now < 8*time.Second:
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			case now < 60*time.Second:
				return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:10.0.0.1")}, nil
			case now < 120*time.Second:
				return []netip.Addr{netip.MustParseAddr("fd00::2")}, nil
			default:
				return nil, nil
			}
		})
		for _, c := range []struct {
			after time.Duration
			want  string
		}{
			{0, ""},
			{9 * time.Second, ""},
			{11 * time.Second, "10.0.0.1:8125"},
			{69 * time.Second, "10.0.0.1:8125"},
			{71 * time.Second, "[fd00::2]:8125"},
			{10 * time.Minute, "[fd00::2]:8125"}, // gone from the name server, but kept
		} {
			time.Sleep(c.after - time.Since(start))
			synctest.Wait()
			got := ""
			if target := s.target.Load(); target != nil {
				got = target.String()
			}
			if got != c.want {
				t.Errorf("after %v the target is %q; want %q", c.after, got, c.want)
			}
		}
	})
}

func TestANameServerThatDoesNotAnswerHoldsNothingUp(t *testing.T) {
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor {
		cfg, _, err := Config{FlushInterval: time.Millisecond}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSender(address{"statsd.internal", 8125}, func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send([]byte("x:1|c")); !errors.Is(err, errNoAddress) {
			t.Errorf("Send: %v; want %v", err, errNoAddress)
		}
		m, err := newMonitor(cfg, s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		return m
	})
}

// packets is a sender that keeps packets.
type packets struct {
	mu   sync.Mutex
	sent []string
}

func (p *packets) Send(packet []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, string(packet))
	return len(packet), nil
}

func (*packets) Close() error { return nil }

func (p *packets) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}
