package console

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// Config says what a Console shows, to whom, and where. Connection must be set.
type Config struct {
	// Connection leads to the broker. Each error queue that is read gets a TCP connection beside
	// it.
	Connection *connection.Connection

	// Topology names the consumers.
	//
	// Defaults to none: the consumers are those whose queues the management API shows.
	Topology topologyfile.File

	// ManagementURL is the management API, as http://user:password@host:15672.
	//
	// Defaults to none. What only the API knows is left blank then.
	ManagementURL string

	// ManagementClient asks the management API, for example with the authorities of a private TLS.
	//
	// Defaults to http.DefaultClient.
	ManagementClient *http.Client

	// BasePath is the path under which browsers reach the console, such as /ops/queues. A slash at
	// its end changes nothing. All links begin with it, also behind a proxy that removes it.
	//
	// Defaults to /.
	BasePath string

	// Identify says who makes a request. An error refuses the request, and its text is logged but
	// not shown.
	//
	// Defaults to the Login. Without a Login only requests from this machine that no proxy has
	// forwarded are answered; who makes them may read everything.
	Identify func(*http.Request) (User, error)

	// Login lets in who has a link that it has made.
	//
	// Defaults to none.
	Login *Login

	// TrustedProxies are the addresses of proxies that say in headers from where they have a
	// request: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, and X-Forwarded-Prefix, which
	// takes the place of BasePath. A proxy must set each of them, or remove it. From anybody else
	// they change nothing.
	//
	// Defaults to none.
	TrustedProxies []netip.Prefix

	// Hosts are the names, without a port, by which browsers may reach the console. Requests for
	// another host are refused, so that no page of somebody else reads this one by its own name.
	//
	// Defaults to localhost and the loopback addresses; with Identify, to any name.
	Hosts []string

	// Redact changes a message before anything of it is kept or shown. It must not keep the
	// message.
	//
	// Defaults to no change.
	Redact func(*errorqueue.Message)

	// Consumers are the consumers of this process: what runs in them is shown, and they can be
	// paused and resumed here. Those on Connection's virtual host are meant.
	//
	// Defaults to none.
	Consumers *consumer.Group

	// Fleet says which stream has the orders to the consumers of all processes. Pages that show
	// processes ask them, each 5 s at most: that is a message on the stream.
	//
	// Defaults to control.ControlStream.
	Fleet control.FleetConfig

	// Monitor is that of this process's consumers, which tells what they have parked.
	//
	// Defaults to none.
	Monitor *Monitor

	// ReadOnly leaves out all pages and forms that change something.
	//
	// Defaults to false. Without Identify and Login it is always true.
	ReadOnly bool

	// StateDir is the directory in which operations and the audit are written down, readable by
	// this user alone. It is made if it is not there, and is for one virtual host and one Console
	// at a time. After a restart the pages say from it what was interrupted.
	//
	// Defaults to none: operations are forgotten with the process, and who has done what is in the
	// log only.
	StateDir string

	// Key signs forms that change something, and the cookies of a Login that has no key of its own:
	// at least 32 bytes. Forms and cookies of another process are accepted if it has the same one.
	//
	// Defaults to one of this Console alone.
	Key []byte

	// SpoolDir is the directory of a temporary file that keeps bodies, readable by this user alone.
	//
	// Defaults to none: 20 bodies of each kind of failure are kept, in memory.
	SpoolDir string

	// IndexKeys are header. and body. terms without a value, such as header.tenant or body.order.id,
	// at most 20. Each reading keeps what messages have there, up to 1 KiB each, so that filters with
	// these terms find messages without a reading of their own.
	//
	// Defaults to none.
	IndexKeys []string

	// Decode returns the text of a body that is neither JSON nor text, such as protobuf, for the page
	// of a message. It has a second; while a slow one still runs, no other is called. It must not
	// keep or change the message.
	//
	// Defaults to none.
	Decode func(*errorqueue.Message) (string, error)

	// Log receives refused requests and failed readings.
	//
	// Defaults to slog.Default().
	Log *slog.Logger

	index *errorqueue.Values // of IndexKeys, nil without any
}

// check says what is wrong with the Config.
func (c Config) check() error {
	if strings.ContainsAny(c.BasePath, "?#%\\") || strings.Contains(c.BasePath, "//") || c.BasePath != "" && c.BasePath[0] != '/' {
		return fmt.Errorf("BasePath is %q, want a path such as /ops/queues", c.BasePath)
	}
	for _, p := range c.TrustedProxies {
		if !p.IsValid() {
			return errors.New("TrustedProxies has a prefix that is none, want such as 10.0.0.0/8")
		}
	}
	if c.Key != nil && len(c.Key) < keyLeast {
		return fmt.Errorf("the Key has %d bytes, want 32 or more", len(c.Key))
	}
	return nil
}

// resolve checks the Config and fills in the defaults.
func (c Config) resolve() (Config, error) {
	if c.Connection == nil {
		return c, errors.New("the connection is nil")
	}
	if err := c.check(); err != nil {
		return c, err
	}
	if c.BasePath = path.Clean("/" + c.BasePath); c.BasePath != "/" {
		c.BasePath += "/"
	}
	if len(c.Hosts) == 0 && c.Identify == nil {
		c.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	c.TrustedProxies = slices.Clone(c.TrustedProxies)
	c.Hosts = slices.Clone(c.Hosts)
	for i, h := range c.Hosts {
		c.Hosts[i] = strings.ToLower(strings.Trim(h, "[]"))
	}
	index, err := indexOf(c.IndexKeys)
	if err != nil {
		return c, err
	}
	c.index = index
	c.ReadOnly = c.ReadOnly || c.Identify == nil && c.Login == nil
	if c.Key == nil {
		c.Key = make([]byte, 32)
		_, _ = rand.Read(c.Key) // it never fails
	}
	if c.ManagementClient == nil {
		c.ManagementClient = http.DefaultClient
	}
	c.Log = applog.First(c.Log)
	c.Fleet.Stream = cmp.Or(c.Fleet.Stream, control.ControlStream)
	if c.Fleet.Logger == nil {
		c.Fleet.Logger = c.Log
	}
	return c, nil
}
