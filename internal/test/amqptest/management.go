package amqptest

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// StartManaged starts a broker that nobody else uses, with the management plugin. It also returns
// the URL of its management API.
func StartManaged(t testing.TB, settings ...Setting) (b *Broker, api string) {
	t.Helper()
	port := freePort(t)
	b = newBroker(t, settings)
	b.node["BROKER_PLUGINS"] = "rabbitmq_management"
	b.node["BROKER_CONF"] = fmt.Sprintf("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d", port)
	b.Start()
	b.started()
	b.Ctl("set_user_tags", login, "monitoring")
	api = fmt.Sprintf("http://%s:%[1]s@127.0.0.1:%d", login, port)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		answer, err := client.Get(api + "/api/queues")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return b, api
			}
		}
		if time.Now().After(end) {
			t.Fatalf("amqptest: the management API does not answer: %v", err)
		}
	}
}

// freePort returns a port of this machine that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
