package connection_test

import (
	"cmp"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestASessionKnowsWhoIsAtTheOtherEnd(t *testing.T) {
	u, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, connection.Config{URL: u.String(), Heartbeat: 7 * time.Second})
	got := session(t, c.Consuming()).Peer()
	if got.Cluster == "" {
		t.Error("the cluster has no name")
	}
	got.Cluster = ""
	want := connection.Peer{
		Product: "RabbitMQ", Version: amqptest.Version(t), Addr: u.Host, User: u.User.Username(), VHost: cmp.Or(strings.TrimPrefix(u.Path, "/"), "/"), Heartbeat: 7 * time.Second,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestASessionKnowsThatItIsEncrypted(t *testing.T) {
	files := amqptest.TLSFiles(t)
	c := connect(t, connection.Config{URL: files.URL, CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key})
	if peer := session(t, c.Consuming()).Peer(); !peer.TLS {
		t.Errorf("%+v", peer)
	}
}

func TestVariablesCanComeFromElsewhere(t *testing.T) {
	setenv(t, map[string]string{"AMQP_URL": "amqp://env", "AMQP_USERNAME": "env"})
	c, err := connection.ConfigFrom(func(name string) string {
		return map[string]string{"AMQP_URL": "amqp://flag", "AMQP_VHOST": "v"}[name]
	})
	if err != nil || c.URL != "amqp://flag" || c.VHost != "v" || c.Username != "" {
		t.Errorf("%v, %v", c, err)
	}
}
