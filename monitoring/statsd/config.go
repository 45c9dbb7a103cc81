package statsd

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config says where metrics go.
type Config struct {
	// Addr is the UDP address of the StatsD server, as host:port. The host is looked up in the
	// background, every minute. A host that cannot be found loses metrics; it neither stops nor
	// slows the app.
	//
	// Defaults to localhost:8125.
	Addr string

	// Prefix is put before every name, followed by a dot: with the prefix "shop" a name is
	// shop.orders.success. A dot at the end of Prefix is ignored.
	//
	// Defaults to none.
	Prefix string

	// SampleRate is the fraction of metrics that is sent, above 0 and at most 1. Each metric has
	// the rate beside it, and the server scales its counts.
	//
	// Defaults to 1, all of them.
	SampleRate float64

	// FlushInterval is how long metrics wait at most before they are sent. A full packet is sent
	// at once.
	//
	// Defaults to 300 ms.
	FlushInterval time.Duration
}

const (
	defaultAddr          = "localhost:8125"
	defaultFlushInterval = 300 * time.Millisecond
)

// address is an Addr that has been checked.
type address struct {
	host string
	port uint16
}

// withDefaults checks every field, fills in the defaults, and splits Addr.
func (c Config) withDefaults() (Config, address, error) {
	if c.Addr == "" {
		c.Addr = defaultAddr
	}
	var errs []error
	to, err := parseAddr(c.Addr)
	if err != nil {
		errs = append(errs, fmt.Errorf("statsd: Config.Addr %q: %w", c.Addr, err))
	}
	if strings.ContainsFunc(c.Prefix, breaksProtocol) {
		errs = append(errs, fmt.Errorf("statsd: Config.Prefix %q: must not contain white space, control characters or any of %s", c.Prefix, reserved))
	}
	c.Prefix = strings.TrimRight(c.Prefix, ".")
	if c.SampleRate == 0 {
		c.SampleRate = 1
	}
	if !(c.SampleRate > 0 && c.SampleRate <= 1) { // also refuses NaN
		errs = append(errs, fmt.Errorf("statsd: Config.SampleRate %v: must be above 0 and at most 1", c.SampleRate))
	}
	if c.FlushInterval == 0 {
		c.FlushInterval = defaultFlushInterval
	}
	if c.FlushInterval < 0 {
		errs = append(errs, fmt.Errorf("statsd: Config.FlushInterval %v: must not be negative", c.FlushInterval))
	}
	return c, to, errors.Join(errs...)
}

func parseAddr(addr string) (address, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return address{}, fmt.Errorf("must be host:port: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return address{}, fmt.Errorf("port must be a number from 1 to 65535")
	}
	if host == "" {
		host = "localhost"
	}
	return address{host, uint16(n)}, nil
}
