package console

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/connection"
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

	// ReadOnly leaves out all pages and forms that change something.
	//
	// Defaults to false. Without Identify and Login it is always true.
	ReadOnly bool

	// Key signs the forms that change something: at least 32 bytes. Forms that another process has
	// shown are accepted if it has the same one.
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

// resolve checks the Config and fills in the defaults.
func (c Config) resolve() (Config, error) {
	if c.Connection == nil {
		return c, errors.New("the connection is nil")
	}
	if strings.ContainsAny(c.BasePath, "?#%\\") || strings.Contains(c.BasePath, "//") || c.BasePath != "" && c.BasePath[0] != '/' {
		return c, fmt.Errorf("BasePath is %q, want a path such as /ops/queues", c.BasePath)
	}
	if c.BasePath = path.Clean("/" + c.BasePath); c.BasePath != "/" {
		c.BasePath += "/"
	}
	if len(c.Hosts) == 0 && c.Identify == nil {
		c.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
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
	if len(c.Key) < 32 {
		return c, fmt.Errorf("the Key has %d bytes, want 32 or more", len(c.Key))
	}
	if c.ManagementClient == nil {
		c.ManagementClient = http.DefaultClient
	}
	c.Log = applog.First(c.Log)
	return c, nil
}
