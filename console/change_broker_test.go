package console_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

var inputs = regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]*? value="([^"]*)"`)

// plan waits for a reading, and returns the fields of a plan's form.
func (s site) plan(query string) (page string, form url.Values) {
	s.t.Helper()
	s.get("/ops/q/" + s.queue + "-error")
	amqptest.Eventually(s.t, 20*time.Second, func() bool {
		page = s.get("/ops/q/" + s.queue + "-error/plan?" + query)
		return strings.Contains(page, `<form class="plan"`)
	}, "there is a plan")
	_, text, _ := strings.Cut(page, `<form class="plan"`)
	form = url.Values{}
	for _, f := range inputs.FindAllStringSubmatch(text, -1) {
		if f[1] != "copy" {
			form.Set(f[1], f[2])
		}
	}
	return page, form
}

// do sends the form of a plan, and returns the path of the operation.
func (s site) do(kind string, form url.Values) string {
	s.t.Helper()
	return s.post("/ops/q/"+s.queue+"-error/"+kind, form)
}

// post sends a form, and returns where it leads.
func (s site) post(path string, form url.Values) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := *s.page
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("%s: %s\n%s", path, answer.Status, body)
	}
	return answer.Header.Get("Location")
}

// over waits until the page of an operation says so.
func (s site) over(path, says string) (page string) {
	s.t.Helper()
	amqptest.Eventually(s.t, 60*time.Second, func() bool {
		page = s.get(path)
		return strings.Contains(page, says)
	}, "the operation is over")
	return page
}

// depths waits until so many messages are in the main queue and the error queue.
func (s site) depths(main, parked int) {
	s.t.Helper()
	amqptest.Eventually(s.t, 20*time.Second, func() bool {
		return amqptest.Depth(s.t, s.queue) == main && amqptest.Depth(s.t, s.queue+"-error") == parked
	}, "the queues have %d and %d messages, want %d and %d", amqptest.Depth(s.t, s.queue), amqptest.Depth(s.t, s.queue+"-error"), main, parked)
}

func TestARedriveMovesWhatItsPlanHasCountedAndNothingElse(t *testing.T) {
	s := open(t, 30)
	page, form := s.plan("filter=reason%3Dtimeout&kind=redrive")
	for _, want := range []string{"Redrive 30 of", "nobody would handle them", "1.41.0 <b>30</b>", ">Redrive 30</button>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the plan lacks %q:\n%s", want, page)
		}
	}
	// Somebody else moves some of them meanwhile, and more are parked.
	q, err := errorqueue.Open(t.Context(), s.conn, errorqueue.Named(s.queue), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Redrive(t.Context(), errorqueue.RedriveOptions{Filter: errorqueue.Filter{IDs: []string{"id-3", "id-4", "id-29"}}}); err != nil {
		t.Fatal(err)
	}
	q.Close(context.Background())
	for i := range 10 {
		amqptest.Publish(t, "", s.queue+"-error", amqp.Publishing{MessageId: fmt.Sprintf("new-%d", i), Body: []byte("{}"), DeliveryMode: amqp.Persistent, Headers: failure})
	}
	form.Set("batches", "")
	page = s.over(s.do("redrive", form), "Done.")
	for _, want := range []string{"27 messages redriven, of 30 planned", "3 were not there any more"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q:\n%s", want, page)
		}
	}
	s.depths(30, 10)
	amqptest.Eventually(t, 20*time.Second, func() bool {
		return strings.Count(s.get("/ops/q/"+s.queue+"-error?show=list"), ">new-") == 10
	}, "the list has the newer ones without being asked to read")
}

// handle takes messages from the main queue, and parks those of which fail says how they fail.
func (s site) handle(fail func(id string) string) {
	s.t.Helper()
	ch := amqptest.Channel(s.t)
	deliveries, err := ch.ConsumeWithContext(s.t.Context(), s.queue, "", false, false, false, false, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	over := make(chan struct{})
	s.t.Cleanup(func() { <-over })
	go func() {
		defer close(over)
		for d := range deliveries {
			if text := fail(d.MessageId); text != "" {
				headers := maps.Clone(d.Headers)
				headers[wire.Reason], headers[wire.Error], headers[wire.ErrorGroup], headers[wire.AppVersion] = "error", text, text[:4], "1.42.0"
				_ = ch.PublishWithContext(context.Background(), "", s.queue+"-error", false, false, amqp.Publishing{MessageId: d.MessageId, Body: d.Body, DeliveryMode: amqp.Persistent, Headers: headers})
			}
			_ = d.Ack(false)
		}
	}()
}

func TestABatchThatFailsAgainStopsAndSaysWhetherItIsTheSameFailure(t *testing.T) {
	s := open(t, 12)
	s.handle(func(id string) string {
		if id == "id-0" {
			return "card expired"
		}
		return ""
	})
	_, form := s.plan("filter=reason%3Dtimeout&kind=redrive")
	form.Set("batches", "1,20")
	form.Set("watch", "20s")
	link := s.do("redrive", form)
	page := s.over(link, "It stopped itself")
	for _, want := range []string{"another failure than before", "card expired", "connection refused", "1 message redriven, of 12 planned", "filter=redrive%3D", "Go on with the rest"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	amqptest.Eventually(t, 20*time.Second, func() bool {
		return strings.Contains(s.get(regexp.MustCompile(`/ops/q/[^"]*filter=redrive%3D[^"]*`).FindString(page)), "1 to 1 of <b>1</b>")
	}, "the list of what failed again has it")
	on := regexp.MustCompile(`/plan\?(goes-on=[^"]*)"`).FindStringSubmatch(page)
	if on == nil {
		t.Fatal("nothing leads on")
	}
	page, form = s.plan(on[1])
	for _, want := range []string{">Redrive 11</button>", "1 message was redriven by the earlier operation and failed again"} {
		if !strings.Contains(page, want) {
			t.Errorf("the plan lacks %q:\n%s", want, page)
		}
	}
	form.Set("batches", "")
	form.Set("watch", "")
	form.Set("rate", "100")
	if page := s.over(s.do("redrive", form), "Done."); !strings.Contains(page, "11 messages redriven, of 11 planned") {
		t.Errorf("the report is\n%s", page)
	}
	s.depths(0, 1)
}

func TestAnOperationIsStoppedAndTheRestIsStillParked(t *testing.T) {
	s := open(t, 30)
	_, form := s.plan("filter=reason%3Dtimeout&kind=redrive")
	form.Set("batches", "")
	form.Set("rate", "2")
	link := s.do("redrive", form)
	page := s.over(link, "moves")
	ticket := regexp.MustCompile(`name="ticket" value="([^"]*)"`).FindStringSubmatch(page)
	if ticket == nil {
		t.Fatalf("there is no form to stop it:\n%s", page)
	}
	s.post(link+"/stop", url.Values{"ticket": {ticket[1]}})
	s.over(link, "Stopped. What was moved stays moved")
	moved := amqptest.Depth(t, s.queue)
	s.depths(moved, 30-moved)
	if moved >= 30 {
		t.Error("all were moved before the stop")
	}
}

func TestADownloadIsWhatTheCommandExports(t *testing.T) {
	s := open(t, 40)
	_, form := s.plan("kind=export&filter=reason%3Dtimeout")
	link := s.do("export", form)
	s.over(link, "Done.")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+link+"/file", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.page.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, err)
	}
	q, err := errorqueue.Open(t.Context(), s.conn, errorqueue.Named(s.queue), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(context.Background())
	var want bytes.Buffer
	if _, err := q.Export(t.Context(), &want, errorqueue.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	rest := func(file []byte) string { // the first line has the time
		_, after, _ := bytes.Cut(file, []byte("\n"))
		return string(after)
	}
	if rest(got) != rest(want.Bytes()) || bytes.Count(got, []byte("\n")) != 42 {
		t.Errorf("the download is\n%s\nwant\n%s", got, want.Bytes())
	}
	s.depths(0, 40)
}

func TestMessagesAreArchivedWithACopyAndDeleted(t *testing.T) {
	s := open(t, 20)
	_, form := s.plan("kind=archive&filter=id%3Did-1,id-2,id-3")
	form.Set("copy", "1")
	page := s.over(s.do("archive", form), "Done.")
	for _, want := range []string{"3 messages archived, of 3 planned", "3 messages are in the copy", "/file\" download>", "to " + s.queue + "-archive"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q:\n%s", want, page)
		}
	}
	s.depths(0, 17)
	if n := amqptest.Depth(t, s.queue+"-archive"); n != 3 {
		t.Errorf("the archive has %d messages", n)
	}
	page, form = s.plan("all=delete")
	if !strings.Contains(page, ">Delete 17</button>") {
		t.Errorf("what was archived is counted again:\n%s", page)
	}
	form.Set("sure", "all")
	form.Set("name", s.queue+"-error")
	s.over(s.do("delete", form), "17 messages deleted, of 17 planned")
	s.depths(0, 0)
}

func TestAnOperationThatEndedWithItsConsoleIsOnTopAndGoesOn(t *testing.T) {
	s := open(t, 30)
	_, form := s.plan("filter=reason%3Dtimeout&kind=redrive")
	form.Set("batches", "")
	form.Set("rate", "5")
	link := s.do("redrive", form)
	s.over(link, "moves")
	s.restart()
	if page := s.get("/ops/"); !strings.Contains(page, `<a href="`+link+`">Redrive 30</a>`) || !strings.Contains(page, "because its console ended") {
		t.Errorf("the overview does not say what was interrupted:\n%s", page)
	}
	page := s.get(link)
	on := regexp.MustCompile(`/plan\?(goes-on=[^"]*)"`).FindStringSubmatch(page)
	if on == nil || !strings.Contains(page, "Stopped when its console was closed") {
		t.Fatalf("nothing leads on:\n%s", page)
	}
	moved := amqptest.Depth(t, s.queue)
	page, form = s.plan(on[1])
	if !strings.Contains(page, fmt.Sprintf(">Redrive %d</button>", 30-moved)) {
		t.Errorf("%d were moved, and the plan is\n%s", moved, page)
	}
	form.Set("rate", "")
	s.over(s.do("redrive", form), "Done.")
	s.depths(30, 0)
	if page := s.get("/ops/"); strings.Contains(page, "because its console ended") {
		t.Error("it is still said to be interrupted")
	}
}
