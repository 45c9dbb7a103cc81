package console_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// site is a Console on the tests' broker, and a consumer's queues with parked messages.
type site struct {
	t     *testing.T
	queue string
	url   string
	page  *http.Client
	conn  *connection.Connection

	cfg     console.Config
	serving *atomic.Pointer[console.Console]
}

// restart closes the Console, and opens another one with the same Config.
func (s site) restart() {
	s.t.Helper()
	s.serving.Load().Close(context.Background())
	c, err := console.New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.serving.Store(c)
}

// failure is how a message of a site has failed.
var failure = amqp.Table{"colour": "red", wire.Reason: "timeout", wire.Error: "connection refused", wire.ErrorGroup: "0123456789abcdef", wire.AppVersion: "1.41.0"}

// open parks messages, and opens a Console for somebody who may change everything, or for the
// Config that set makes.
func open(t *testing.T, messages int, set ...func(*console.Config)) site {
	return openWith(t, messages, connection.Config{}, set...)
}

// openWith is open with settings of the connection.
func openWith(t *testing.T, messages int, at connection.Config, set ...func(*console.Config)) site {
	t.Helper()
	queue := amqptest.Queue(t, "console", "-retry-1s", "-quarantine", "-error", "-error.reader", "-archive", "-archive.reader")
	plan := topology.Plan{Queue: queue, Delays: []time.Duration{time.Second}}
	top, err := topology.New(plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := top.Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		amqptest.Publish(t, "", queue+"-error", amqp.Publishing{
			MessageId: fmt.Sprintf("id-%d", i), Body: fmt.Appendf(nil, `{"n":%d}`, i), DeliveryMode: amqp.Persistent, Headers: failure,
		})
	}
	at.URL = amqptest.URL(t)
	conn, err := connection.New(at, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := console.Config{
		Connection: conn, SpoolDir: t.TempDir(), BasePath: "/ops", StateDir: t.TempDir(), IndexKeys: []string{"header.colour", "body.n"},
		Topology: topologyfile.File{Consumers: []topologyfile.Consumer{{Plan: plan, Topology: top}}},
		Identify: func(*http.Request) (console.User, error) {
			return console.User{Name: "eve", Grants: []console.Grant{{Queues: "*", Right: console.Change}}}, nil
		},
	}
	for _, f := range set {
		f(&cfg)
	}
	c, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	serving := &atomic.Pointer[console.Console]{}
	serving.Store(c)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serving.Load().ServeHTTP(w, r) }))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		serving.Load().Close(context.Background())
		_ = conn.Stop(context.Background())
	})
	return site{t: t, queue: queue, url: server.URL, page: server.Client(), conn: conn, cfg: cfg, serving: serving}
}

func (s site) get(path string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.page.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v\n%s", path, answer.Status, err, body)
	}
	return string(body)
}

func TestThePagesShowWhatIsParkedOnABroker(t *testing.T) {
	s := open(t, 60)
	over := s.get("/ops/")
	if want := fmt.Sprintf(`href="/ops/q/%s-error" aria-label="60 parked messages of %[1]s">60</a>`, s.queue); !strings.Contains(over, want) {
		t.Errorf("the overview lacks %s:\n%s", want, over)
	}
	queue := "/ops/q/" + s.queue + "-error"
	var list string
	amqptest.Eventually(t, 20*time.Second, func() bool {
		list = s.get(queue + "?filter=id%3Did-59")
		return strings.Contains(list, "1 to 1 of <b>1</b>")
	}, "the list has the last message")
	link := regexp.MustCompile(queue + `/m/[0-9a-f]+`).FindString(list)
	page := s.get(link)
	for _, want := range []string{"id-59", "&#34;n&#34;: 59", "colour", "60 of 60"} {
		if !strings.Contains(page, want) {
			t.Errorf("the message's page lacks %q:\n%s", want, page)
		}
	}
	second := regexp.MustCompile(queue + `/m/([0-9a-f]+)`).FindStringSubmatch(s.get(queue + "?filter=id%3Did-58"))[1]
	compared := s.get(queue + "/compare?a=" + link[strings.LastIndex(link, "/")+1:] + "&b=" + second)
	for _, want := range []string{"5<b>9</b>", "5<b>8</b>", "colour"} {
		if !strings.Contains(compared, want) {
			t.Errorf("the comparison lacks %q:\n%s", want, compared)
		}
	}
	for filter, want := range map[string]string{
		"header.colour%3Dred": "60 messages match", "body.n%3D7.0": "1 message matches", "header.colour%3Dblue": "Nothing matches in",
	} {
		if page := s.get("/ops/search?filter=" + filter); !strings.Contains(page, want) || !strings.Contains(page, s.queue+"-error") {
			t.Errorf("the search for %s lacks %q:\n%s", filter, want, page)
		}
	}
	if group := regexp.MustCompile(queue + `/g/[0-9a-f]+`).FindString(s.get(queue)); group == "" {
		t.Error("the queue's page links no kind of failure")
	} else {
		s.get(group)
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, s.queue+"-error") == 60 }, "all messages are in the queue again")
	if page := s.get("/ops/topology"); !strings.Contains(page, "<svg") || !strings.Contains(page, "60 ready") {
		t.Errorf("the topology is:\n%s", page)
	}
	if page := s.get("/ops/doctor"); !strings.Contains(page, "60 messages given up") || !strings.Contains(page, ">see why</a>") {
		t.Errorf("the doctor says:\n%s", page)
	}
}

func TestTheOverviewReadsNoMessage(t *testing.T) {
	s := open(t, 1)
	for range 3 {
		s.get("/ops/")
		s.get("/ops/topology")
	}
	ch := amqptest.Channel(t)
	d, ok, err := ch.Get(s.queue+"-error", false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if count, is := d.Headers["x-delivery-count"]; d.Redelivered || is && count != int64(0) {
		t.Errorf("redelivered is %v and the delivery count %v", d.Redelivered, count)
	}
	if err := d.Nack(false, true); err != nil {
		t.Fatal(err)
	}
}

func TestHintsSayThatAReadingHasChanged(t *testing.T) {
	s := open(t, 20)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/ops/q/"+s.queue+"-error/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.page.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("the type is %q", kind)
	}
	var got strings.Builder
	for buffer := make([]byte, 64); !strings.Contains(got.String(), "data: snapshot 1\n\n"); {
		n, err := answer.Body.Read(buffer)
		got.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
	}
}

func TestAQueueOfFewReadingsIsNotReadByItself(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		_, _ = fmt.Fprintf(w, `{"name": %q, "type": "quorum", "arguments": {}, "effective_policy_definition": {"delivery-limit": 50}}`, name)
	}))
	defer api.Close()
	s := openWith(t, 3, connection.Config{Management: strings.Replace(api.URL, "http://", "http://u:p@", 1)})
	queue := "/ops/q/" + s.queue + "-error"
	if v := amqptest.Version(t); strings.HasPrefix(v, "4.") && v >= "4.3" {
		amqptest.Eventually(t, 20*time.Second, func() bool { return strings.Contains(s.get(queue), "3 messages read") }, "it is not read")
		if page := s.get(queue); strings.Contains(page, "readings used") {
			t.Errorf("readings count:\n%s", page)
		}
		return
	}
	var page string
	amqptest.Eventually(t, 20*time.Second, func() bool {
		page = s.get(queue)
		return strings.Contains(page, "Read the queue, 3 messages")
	}, "the page does not offer a reading")
	s.get(queue + "?read=1")
	amqptest.Eventually(t, 20*time.Second, func() bool {
		page = s.get(queue)
		return strings.Contains(page, "3 messages read") && strings.Contains(page, "0 of 50 readings used")
	}, "the page does not count readings")
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, s.queue+"-error") == 3 }, "all messages are in the queue again")
}
