package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAQueueHasOneOperationAtATimeWhichCanBeStoppedAndGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(12)...)
		_, form := planOf(t, c, planLink)
		_, other := planOf(t, c, planLink)
		link := send(c, "/q/orders-error/redrive", form).Header.Get("Location")
		synctest.Wait()
		answer := send(c, "/q/orders-error/redrive", other)
		if page := text(t, answer); answer.StatusCode != http.StatusConflict || !strings.Contains(page, `href="`+link+`"`) {
			t.Errorf("a second one: %s\n%s", answer.Status, page)
		}
		page := read(t, c, link)
		for _, want := range []string{"<b>2</b> of 12", "moves", ">Stop</button>", `data-events="` + link + `/events"`, `http-equiv="refresh"`, "bunnicula errors redrive orders-error reason=error"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if page := read(t, c, "/q/orders-error"); !strings.Contains(page, `<a href="`+link+`">Redrive 12</a>`) {
			t.Errorf("the page of the queue does not say what runs:\n%s", page)
		}
		stop := url.Values{"ticket": {regexp.MustCompile(`name="ticket" value="([^"]*)"`).FindStringSubmatch(page)[1]}}
		user = owner("eve", Read)
		if answer := send(c, link+"/stop", stop); answer.StatusCode != http.StatusForbidden {
			t.Errorf("stopped without the right: %s", answer.Status)
		}
		user = User{Name: "eve", Grants: []Grant{{Queues: "mail-error", Right: Change}}}
		for _, path := range []string{"", "/events", "/file"} {
			if answer := get(c, link+path); answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s of another's queue: %s", path, answer.Status)
			}
		}
		user = owner("eve", Change)
		if answer := send(c, link+"/stop", stop); answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s\n%s", answer.Status, text(t, answer))
		}
		synctest.Wait()
		page = read(t, c, link)
		if !strings.Contains(page, "Stopped. What was moved") || strings.Contains(page, ">Stop</button>") {
			t.Errorf("after the stop:\n%s", page)
		}
		on := regexp.MustCompile(`href="(/q/orders-error/plan\?goes-on=[^"]*)"`).FindStringSubmatch(page)
		if on == nil {
			t.Fatalf("nothing leads on:\n%s", page)
		}
		page, form = planOf(t, c, on[1])
		if !strings.Contains(page, "What is left of") || form.Get("batches") != "1,10,100,1000" {
			t.Fatalf("the plan that goes on is\n%s", page)
		}
		form.Set("batches", "")
		form.Set("rate", "5")
		next := send(c, "/q/orders-error/redrive", form)
		synctest.Wait()
		s, ok := c.runner.State(strings.TrimPrefix(next.Header.Get("Location"), "/ops/"))
		if !ok || "/ops/"+s.RedriveID != link || s.Rate != 5 || s.Marks != 12 || "/ops/"+s.GoesOn != link {
			t.Errorf("it goes on with %+v, %v", s.Intent, ok)
		}
		if page := read(t, c, link); strings.Contains(page, "goes-on=") || !strings.Contains(page, "Another operation goes on with it") {
			t.Errorf("it can be gone on with twice:\n%s", page)
		}
	})
}

// A group's id tells nobody what is redriven.
func TestAPlanSaysWhatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(3)...)
		page, _ := planOf(t, c, "/q/orders-error/plan?all=redrive")
		if !strings.Contains(page, "</b> failed: ") {
			t.Errorf("the plan does not say why:\n%s", page)
		}
	})
}

// Without batches nobody watches, so 0 that failed again would be a guess.
func TestWhatNobodyWatchedIsNotSaidToBeWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(3)...)
		_, form := planOf(t, c, "/q/orders-error/plan?all=redrive")
		form.Set("batches", "")
		form.Set("sure", "all")
		link := send(c, "/q/orders-error/redrive", form).Header.Get("Location")
		synctest.Wait()
		page := read(t, c, link)
		for _, want := range []string{"Done.", "Which of them have failed again since", "&amp;read=", "took below 1s"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if strings.Contains(page, `data-label="Failed again">0<`) {
			t.Errorf("a batch that nobody watched has 0 failed again:\n%s", page)
		}
	})
}

func TestAnExportIsAFileForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Read)
		c := changer(t, &user, several(3)...)
		_, form := planOf(t, c, "/q/orders-error/plan?all=export")
		link := send(c, "/q/orders-error/export", form).Header.Get("Location")
		synctest.Wait()
		answer := get(c, link+"/file")
		if body := text(t, answer); answer.StatusCode != http.StatusOK || !strings.HasSuffix(body, "messages\n") || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), `attachment; filename="export-`) {
			t.Errorf("%s %v\n%s", answer.Status, answer.Header, body)
		}
		user = owner("eve", See)
		if answer := get(c, link+"/file"); answer.StatusCode != http.StatusForbidden {
			t.Errorf("without the right: %s", answer.Status)
		}
		user = owner("eve", Read)
		time.Sleep(time.Hour + time.Second)
		if answer := get(c, link+"/file"); answer.StatusCode != http.StatusNotFound {
			t.Errorf("after an hour: %s", answer.Status)
		}
	})
}

func TestTextsOfMessagesMakeNoElementsOnPlansAndOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		pages := func(text string) (all []string) {
			c := changer(t, &user, full(text, 1))
			look := func(path string) string {
				page := read(t, c, path)
				all = append(all, skeleton(regexp.MustCompile(`(?s)<p class="command">.*?</p>`).ReplaceAllString(page, "")))
				return page
			}
			var form url.Values
			for _, kind := range []string{"export", "delete", "archive", "redrive"} {
				form = fields(look("/q/orders-error/plan?all=" + kind))
			}
			form.Set("sure", "all")
			answer := send(c, "/q/orders-error/redrive", form)
			if answer.StatusCode != http.StatusSeeOther {
				t.Fatalf("%q: %s", text, answer.Status)
			}
			synctest.Wait()
			look(answer.Header.Get("Location"))
			look("/ops")
			return all
		}
		for _, h := range hostile {
			plain := pages(strings.Repeat("x", len(h)))
			for i, got := range pages(h) {
				if got != plain[i] {
					t.Errorf("%q, page %d: the elements are\n%s\nwant\n%s", h, i, got, plain[i])
				}
			}
		}
	})
}

func TestRatesAreNumbers(t *testing.T) {
	n := 12.34
	if got := (view{}).Rate(&n) + "," + (view{}).Rate(nil); got != "12.3," {
		t.Error(got)
	}
}

func TestEstimatesOfAPlan(t *testing.T) {
	for _, test := range []struct {
		count   int
		batches []int
		watch   time.Duration
		rate    float64
		n       int
		first   time.Duration
		all     time.Duration
	}{
		{count: 1284, n: 0, all: 1284 * time.Millisecond},
		{count: 100, rate: 50, n: 0, all: 2 * time.Second},
		{count: 1284, batches: []int{1, 10, 100, 1000}, watch: 10 * time.Minute, rate: 1, n: 5, first: 10*time.Minute + time.Second, all: 40*time.Minute + 1284*time.Second},
		{count: 5, batches: []int{10}, watch: time.Minute, rate: 1, n: 1, first: time.Minute + 5*time.Second, all: 5 * time.Second},
		{count: 25, batches: []int{10}, watch: time.Minute, rate: 1, n: 3, first: time.Minute + 10*time.Second, all: 2*time.Minute + 25*time.Second},
	} {
		first, all := verdict(test.count, test.batches, test.watch, test.rate)
		if n := batchCount(test.count, test.batches); n != test.n || first != test.first || all != test.all {
			t.Errorf("%+v: %d batches, %s, %s", test, n, first, all)
		}
	}
}

func TestHintsOfAnOperationComeOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes, stopped := make(chan struct{}, 1), false
		slow, stop := slowly(changes, func() { stopped = true })
		told := 0
		for range 50 { // from five to ten seconds
			select {
			case changes <- struct{}{}:
			default:
			}
			select {
			case <-slow:
				told++
			case <-time.After(100 * time.Millisecond):
			}
			time.Sleep(100 * time.Millisecond)
		}
		if told < 5 || told > 11 {
			t.Errorf("%d hints in 10 s or less", told)
		}
		stop()
		synctest.Wait()
		if !stopped {
			t.Error("it watches after its end")
		}
	})
}

func TestAPlanIsCalculatedAgainWithWhatWasTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, several(40)...)
		_, form := planOf(t, c, planLink)
		form.Set("batches", "10")
		form.Set("watch", "30m")
		form.Set("rate", "0.1")
		page := pageOf(t, c, form)
		// 40 messages in 400 s, and three of four batches are watched.
		if again := fields(page); again.Get("batches") != "10" || again.Get("rate") != "0.1" || !strings.Contains(page, "in 4 batches") || !strings.Contains(page, "≈ 97 min") {
			t.Errorf("the plan is\n%s", page)
		}
	})
}
