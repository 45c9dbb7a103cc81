package link_test

import (
	"cmp"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestASessionKnowsWhoIsAtTheOtherEnd(t *testing.T) {
	u, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, connection.Config{URL: u.String(), Heartbeat: 7 * time.Second})
	got := session(t, c.Transport().Consuming()).Peer()
	if got.Cluster == "" {
		t.Error("the cluster has no name")
	}
	got.Cluster = ""
	want := transport.Peer{
		Product: "RabbitMQ", Version: amqptest.Version(t), Addr: u.Host, User: u.User.Username(), VHost: cmp.Or(strings.TrimPrefix(u.Path, "/"), "/"), Heartbeat: 7 * time.Second,
		FrameMax: 128 << 10,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestASessionKnowsThatItIsEncrypted(t *testing.T) {
	files := amqptest.TLSFiles(t)
	c := connect(t, connection.Config{URL: files.URL, CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key})
	if peer := session(t, c.Transport().Consuming()).Peer(); !peer.TLS {
		t.Errorf("%+v", peer)
	}
}
