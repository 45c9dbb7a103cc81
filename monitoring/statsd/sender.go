package statsd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	lookupAgain = time.Minute            // after a host was resolved
	lookupRetry = 5 * time.Second        // after a failed lookup
	writeLimit  = 100 * time.Millisecond // of one packet; a UDP write hardly ever blocks
)

var errNoAddress = errors.New("statsd: the host is not resolved yet")

// sender sends packets to one address, and drops packets that it cannot send. It never waits for a
// name server, and does not notice a StatsD server that is down.
//
// The client library's own senders resolve the name when the application starts, or when they send,
// and fail if that fails.
type sender struct {
	conn   *net.UDPConn
	target atomic.Pointer[netip.AddrPort] // nil until the host was resolved
	cancel context.CancelFunc
	done   chan struct{} // closed when the lookups have ended; Close waits for that
}

// resolver is the type of net.Resolver.LookupNetIP.
type resolver func(ctx context.Context, network, host string) ([]netip.Addr, error)

func newSender(to address, resolve resolver) (*sender, error) {
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &sender{conn: conn, cancel: cancel, done: make(chan struct{})}
	if ip, err := netip.ParseAddr(to.host); err == nil {
		s.aim(ip, to.port)
		close(s.done)
		return s, nil
	}
	go func() {
		defer close(s.done)
		s.lookup(ctx, to, resolve)
	}()
	return s, nil
}

// Send sends a packet. It drops the packet while the host is not resolved.
func (s *sender) Send(packet []byte) (int, error) {
	target := s.target.Load()
	if target == nil {
		return 0, errNoAddress
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return 0, err
	}
	return s.conn.WriteToUDPAddrPort(packet, *target)
}

// Close ends the lookups and closes the socket.
func (s *sender) Close() error {
	s.cancel()
	<-s.done
	return s.conn.Close()
}

// lookup resolves the host again and again until ctx ends. After a failure the last address stays.
func (s *sender) lookup(ctx context.Context, to address, resolve resolver) {
	for {
		wait := lookupRetry
		if ips, err := resolve(ctx, "ip", to.host); err == nil && len(ips) > 0 {
			s.aim(prefer4(ips), to.port)
			wait = lookupAgain
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (s *sender) aim(ip netip.Addr, port uint16) {
	target := netip.AddrPortFrom(ip.Unmap(), port)
	s.target.Store(&target)
}

// prefer4 returns the first IPv4 address if there is one, as net.ResolveUDPAddr does: a StatsD on
// localhost listens on 127.0.0.1 more often than on ::1.
func prefer4(ips []netip.Addr) netip.Addr {
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return ip
		}
	}
	return ips[0]
}
