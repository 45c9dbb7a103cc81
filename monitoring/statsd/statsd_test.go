package statsd_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMonitorPassesConformance(t *testing.T) {
	s := newServer(t)
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor {
		return newMonitor(t, statsd.Config{Addr: s.addr(), Prefix: "shop"})
	})
}

func TestMonitorPassesConformanceWithADeadServer(t *testing.T) {
	s := newServer(t)
	addr := s.addr()
	s.conn.Close()
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor {
		return newMonitor(t, statsd.Config{Addr: addr, FlushInterval: time.Millisecond})
	})
}

func TestEachOutcomeIsCountedUnderBunniculasName(t *testing.T) {
	const retried, parked = monitoring.Retried, monitoring.Parked
	boom := errors.New("boom")
	for _, c := range []struct {
		outcome monitoring.Outcome
		want    []string
	}{
		{monitoring.Outcome{Action: monitoring.Acked}, []string{"success"}},
		{monitoring.Outcome{Action: retried, Reason: monitoring.ReasonRetry}, []string{"retry"}},
		{monitoring.Outcome{Action: parked, Reason: monitoring.ReasonRetriesExhausted}, []string{"retry", "parked"}},
		{monitoring.Outcome{Action: retried, Reason: monitoring.ReasonRetry, Err: boom}, []string{"fail"}},
		{monitoring.Outcome{Action: parked, Reason: monitoring.ReasonRetriesExhausted, Err: boom}, []string{"fail", "parked"}},
		{monitoring.Outcome{Action: parked, Reason: monitoring.ReasonError}, []string{"error", "parked"}},
		{monitoring.Outcome{Action: retried, Reason: monitoring.ReasonTimeout}, []string{"timeout"}},
		{monitoring.Outcome{Action: parked, Reason: monitoring.ReasonTimeout}, []string{"timeout", "parked"}},
		{monitoring.Outcome{Action: retried, Reason: monitoring.ReasonPanic}, []string{"fail"}},
		{monitoring.Outcome{Action: parked, Reason: monitoring.ReasonUndecodable}, []string{"fail", "parked"}},
		{monitoring.Outcome{Action: parked, Reason: monitoring.ReasonCrashed}, []string{"fail", "parked"}},
		{monitoring.Outcome{Action: parked, Reason: monitoring.ReasonRefused, Err: boom}, []string{"fail", "parked"}},
		{monitoring.Outcome{Action: monitoring.Snoozed}, []string{"snooze"}},
		{monitoring.Outcome{Action: monitoring.Snoozed, Err: boom}, []string{"snooze"}},
		{monitoring.Outcome{Action: monitoring.Interrupted}, []string{"interrupted"}},
	} {
		t.Run(fmt.Sprint(c.outcome.Action, " ", c.outcome.Reason, " ", c.outcome.Err), func(t *testing.T) {
			s := newServer(t)
			m := newMonitor(t, statsd.Config{Addr: s.addr()})
			d := monitoring.Delivery{Consumer: "orders"}
			m.End(m.Begin(t.Context(), d), d, c.outcome)
			closed(t, m)

			var want []metric
			for _, word := range c.want {
				want = append(want, metric{"orders." + word, "1", "c", ""})
			}
			if got := s.received(t); !reflect.DeepEqual(got, want) {
				t.Errorf("received %v; want %v", got, want)
			}
		})
	}
}

func TestTheTimingIsTheHandlersDurationInMilliseconds(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, statsd.Config{Addr: s.addr()})
	m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Acked, Duration: 1500 * time.Millisecond})
	m.End(t.Context(), monitoring.Delivery{Consumer: "emails"}, monitoring.Outcome{Action: monitoring.Interrupted, Duration: 250 * time.Microsecond})
	closed(t, m)
	want := []metric{
		{"orders", "1500", "ms", ""}, {"orders.success", "1", "c", ""},
		{"emails", "0.25", "ms", ""}, {"emails.interrupted", "1", "c", ""},
	}
	if got := s.received(t); !reflect.DeepEqual(got, want) {
		t.Errorf("received %v; want %v", got, want)
	}
}

// In Clojure a handler that throws an exception ends with-tracking before its time is sent.
func TestWhatCountsFailHasNoTiming(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, statsd.Config{Addr: s.addr()})
	for _, o := range []monitoring.Outcome{
		{Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Err: errors.New("boom")},
		{Action: monitoring.Retried, Reason: monitoring.ReasonPanic},
		{Action: monitoring.Retried, Reason: monitoring.ReasonRetry},
		{Action: monitoring.Retried, Reason: monitoring.ReasonTimeout},
	} {
		o.Duration = time.Second
		m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, o)
	}
	closed(t, m)
	want := []metric{
		{"orders.fail", "1", "c", ""},
		{"orders.fail", "1", "c", ""},
		{"orders", "1000", "ms", ""}, {"orders.retry", "1", "c", ""},
		{"orders", "1000", "ms", ""}, {"orders.timeout", "1", "c", ""},
	}
	if got := s.received(t); !reflect.DeepEqual(got, want) {
		t.Errorf("received %v; want %v", got, want)
	}
}

func TestOnlyWhatBreaksThePacketIsChangedInAName(t *testing.T) {
	for _, c := range []struct{ prefix, consumer, queue, want string }{
		{"", "shop.orders-v2_eu", "", "shop.orders-v2_eu"},
		{"shop", "orders", "", "shop.orders"},
		{"shop.eu.", "orders", "", "shop.eu.orders"},
		{"", "a:b|c@d#e f\ng\x00h", "", "a_b_c_d_e_f_g_h"},
		{"", "bücher/neu", "", "bücher/neu"},
		{"", "", "orders", "orders"},
		{"", "", "", "_"},
	} {
		s := newServer(t)
		m := newMonitor(t, statsd.Config{Addr: s.addr(), Prefix: c.prefix})
		m.End(t.Context(), monitoring.Delivery{Consumer: c.consumer, Queue: c.queue}, monitoring.Outcome{Action: monitoring.Acked})
		closed(t, m)
		want := []metric{{c.want + ".success", "1", "c", ""}}
		if got := s.received(t); !reflect.DeepEqual(got, want) {
			t.Errorf("prefix %q, consumer %q: received %v; want %v", c.prefix, c.consumer, got, want)
		}
	}
}

func TestMetricsAreSampledAndSaySo(t *testing.T) {
	const deliveries = 1000
	s := newServer(t)
	m := newMonitor(t, statsd.Config{Addr: s.addr(), SampleRate: 0.25})
	for range deliveries {
		m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Acked})
	}
	closed(t, m)
	got := s.received(t)
	// The bounds are ten standard deviations away: chance does not make this fail.
	if n := len(got); n < 113 || n > 387 {
		t.Errorf("%d of %d were sent; want about 250", n, deliveries)
	}
	for _, one := range got {
		if want := (metric{"orders.success", "1", "c", "@0.250000"}); one != want {
			t.Fatalf("received %v; want %v", one, want)
		}
	}
}

func TestManyMetricsTravelInOnePacketThatFitsAFrame(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, statsd.Config{Addr: s.addr(), FlushInterval: time.Hour})
	for range 200 {
		m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Acked})
	}
	closed(t, m)
	if n := len(s.received(t)); n != 200 {
		t.Errorf("received %d metrics; want 200", n)
	}
	if s.packets > 4 || s.largest > 1432 {
		t.Errorf("in %d packets of up to %d bytes; want few, and none above 1432 bytes", s.packets, s.largest)
	}
}

func TestAfterCloseMetricsAreDropped(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, statsd.Config{Addr: s.addr()})
	closed(t, m)
	m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Parked, Duration: 1})
	closed(t, m)
	if got := s.received(t); len(got) != 0 {
		t.Errorf("received %v; want nothing", got)
	}
}

func TestAConfigErrorNamesTheFieldAndItsValue(t *testing.T) {
	for want, cfg := range map[string]statsd.Config{
		`statsd: Config.Addr "localhost": must be host:port: address localhost: missing port in address`: {Addr: "localhost"},
		`statsd: Config.Addr "localhost:statsd": port must be a number from 1 to 65535`:                  {Addr: "localhost:statsd"},
		`statsd: Config.Addr "localhost:0": port must be a number from 1 to 65535`:                       {Addr: "localhost:0"},
		`statsd: Config.Addr "localhost:65536": port must be a number from 1 to 65535`:                   {Addr: "localhost:65536"},
		`statsd: Config.Prefix "my shop": must not contain white space`:                                  {Prefix: "my shop"},
		`statsd: Config.SampleRate -0.1: must be above 0 and at most 1`:                                  {SampleRate: -0.1},
		`statsd: Config.SampleRate 1.5: must be above 0 and at most 1`:                                   {SampleRate: 1.5},
		`statsd: Config.SampleRate NaN: must be above 0 and at most 1`:                                   {SampleRate: math.NaN()},
		`statsd: Config.FlushInterval -1s: must not be negative`:                                         {FlushInterval: -time.Second},
	} {
		m, err := statsd.New(cfg)
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
}

func TestTheZeroConfigWorks(t *testing.T) {
	closed(t, newMonitor(t, statsd.Config{}))
}

func newMonitor(t *testing.T, cfg statsd.Config) *statsd.Monitor {
	t.Helper()
	m, err := statsd.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, m) })
	return m
}

func closed(t *testing.T, m *statsd.Monitor) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// metric is one line of a packet: name:value|kind|rate.
type metric struct{ name, value, kind, rate string }

// server implements the protocol of StatsD.
type server struct {
	conn             net.PacketConn
	packets, largest int
}

func newServer(t *testing.T) *server {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &server{conn: conn}
}

func (s *server) addr() string { return s.conn.LocalAddr().String() }

// received returns every metric that has been sent so far. A last packet of the test marks their
// end: on the loopback, packets arrive in the order in which they were sent.
func (s *server) received(t *testing.T) []metric {
	t.Helper()
	const last = "last packet"
	if _, err := s.conn.WriteTo([]byte(last), s.conn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	var all []metric
	packet := make([]byte, 1<<16)
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := s.conn.ReadFrom(packet)
		if err != nil {
			t.Fatal(err)
		}
		if string(packet[:n]) == last {
			return all
		}
		s.packets, s.largest = s.packets+1, max(s.largest, n)
		for line := range strings.SplitSeq(string(packet[:n]), "\n") {
			all = append(all, parse(t, line))
		}
	}
}

func parse(t *testing.T, line string) metric {
	t.Helper()
	name, rest, ok := strings.Cut(line, ":")
	fields := strings.Split(rest, "|")
	if !ok || name == "" || len(fields) < 2 || len(fields) > 3 {
		t.Fatalf("%q is not a metric", line)
	}
	m := metric{name: name, value: fields[0], kind: fields[1]}
	if len(fields) == 3 {
		m.rate = fields[2]
	}
	return m
}

func TestAllWrongFieldsAreReportedTogether(t *testing.T) {
	_, err := statsd.New(statsd.Config{Addr: "nowhere", SampleRate: 7, Prefix: "a b"})
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{`Addr "nowhere"`, "SampleRate 7", `Prefix "a b"`} {
		if !strings.Contains(err.Error(), "statsd: Config."+want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}
