package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func oneOf(id, failure string) errorqueue.Message {
	body := []byte(`{"Number": 9007199254740993, "Id": "` + id + `"}`)
	return errorqueue.Message{
		ID: id, Reason: "error", Error: failure, Type: "*errors.errorString", Group: "g", Consumer: "orders", AppVersion: "1.2.3",
		Host: "host-1", Target: "orders", TargetFrom: "header", FailedAt: time.Now(), FirstFailedAt: time.Now().Add(-time.Second),
		Attempts: 1, Body: body, BodySize: len(body),
	}
}

// markOf opens a queue and returns the mark of its first message.
func markOf(t *testing.T, c *Console, queue string, user *User) string {
	t.Helper()
	if user != nil {
		*user = owner(user.Name, Change)
	}
	page := read(t, c, "/q/"+queue+"?show=list")
	found := regexp.MustCompile(`/q/` + queue + `/m/([0-9a-f]+)`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no message is linked:\n%s", page)
	}
	return found[1]
}

func TestAQueueIsShownByKindOfFailureAndAsAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []errorqueue.Message
		for i := range 120 {
			all = append(all, oneOf(fmt.Sprintf("id-%d", i), "connection refused"))
		}
		c := made(t, Config{}, all...)
		page := read(t, c, "/q/orders-error")
		for _, want := range []string{"120 messages read", "connection refused", "/g/" + groupName("g"), "1.2.3", "bunnicula errors groups orders-error"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		list := read(t, c, "/q/orders-error?show=list&page=3")
		if !strings.Contains(list, "101 to 120 of <b>120</b>") || strings.Contains(list, `rel="next"`) || !strings.Contains(list, `rel="prev"`) {
			t.Errorf("the last page is:\n%s", list)
		}
		chosen := read(t, c, "/q/orders-error?filter=id%3Did-7")
		if !strings.Contains(chosen, "1 to 1 of <b>1</b>") || !strings.Contains(chosen, "bunnicula errors ls orders-error id=id-7") {
			t.Errorf("the filtered page is:\n%s", chosen)
		}
		wrong := read(t, c, "/q/orders-error?filter=reasn%3Dx")
		if !strings.Contains(wrong, `id="filter-error"`) || !strings.Contains(wrong, `value="reasn=x"`) {
			t.Errorf("a filter that is none:\n%s", wrong)
		}
		group := read(t, c, "/q/orders-error/g/"+groupName("g"))
		if !strings.Contains(group, "host-1") || !strings.Contains(group, "below") {
			t.Errorf("the page of the group is:\n%s", group)
		}
	})
}

func TestAMessageIsShownWithItsNumbersAsTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{SpoolDir: t.TempDir()}, oneOf("id-1", "boom"), oneOf("id-2", "boom"))
		mark := markOf(t, c, "orders-error", nil)
		page := read(t, c, "/q/orders-error/m/"+mark)
		for _, want := range []string{"9007199254740993", "1 of 2", "bunnicula errors show orders-error mark=" + mark, `rel="next"`} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		answer := get(c, "/q/orders-error/m/"+mark+"/body")
		h := answer.Header
		if h.Get("Content-Type") != "application/octet-stream" || h.Get("Content-Disposition") != `attachment; filename="body-1.bin"` {
			t.Errorf("the download has %v", h)
		}
		if !strings.HasSuffix(text(t, answer), `"Id": "id-1"}`) {
			t.Error("the download is not the body")
		}
		if answer := get(c, "/q/orders-error/m/"+strings.Repeat("0", 32)); answer.StatusCode != http.StatusNotFound {
			t.Errorf("a message that is not there: %s", answer.Status)
		}
	})
}

func TestAllLinksBeginWithTheBasePathWhateverTheProxyDoesWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, base := range []string{"/ops/queues", "/ops/queues/"} {
			c := made(t, Config{BasePath: base}, oneOf("id-1", "boom"))
			for name, h := range map[string]http.Handler{"whole": c, "stripped": http.StripPrefix("/ops/queues", c)} {
				for _, path := range []string{"/ops/queues/topology", "/ops/queues/q/orders-error", "/ops/queues/q/orders-error/"} {
					page := read(t, h, path)
					for _, link := range regexp.MustCompile(` (?:href|src|action|data-events)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
						if !strings.HasPrefix(link[1], "/ops/queues/") && link[1] != "#main" {
							t.Errorf("%s, %s, %s: a link to %s", base, name, path, link[1])
						}
					}
				}
			}
			for _, path := range []string{"/ops/queues", "/ops/queues/"} {
				if page := text(t, get(c, path)); !strings.Contains(page, "<h1>Consumers</h1>") {
					t.Errorf("%s is no overview:\n%s", path, page)
				}
			}
			answer := get(c, "/elsewhere/x")
			if page := text(t, answer); answer.StatusCode != http.StatusNotFound || !strings.Contains(page, "configured for /ops/queues/") {
				t.Errorf("a page that is not there: %s\n%s", answer.Status, page)
			}
		}
	})
}

func TestAFragmentThatHasNotChangedIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{}, oneOf("id-1", "boom"))
		read(t, c, "/q/orders-error")
		first := get(c, "/q/orders-error", fragment, "main")
		tag := first.Header.Get("ETag")
		body := text(t, first)
		if tag == "" || strings.Contains(body, "<!doctype") || !strings.Contains(body, `<main id="main"`) {
			t.Fatalf("ETag %q:\n%s", tag, body)
		}
		if again := get(c, "/q/orders-error", fragment, "main", "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("again: %s", again.Status)
		}
	})
}

func TestOnlyALinkOfOursBeginsAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{}, oneOf("id-1", "boom"))
		read(t, c, "/q/orders-error")
		reading, err := c.store.Open(t.Context(), "orders-error")
		if err != nil {
			t.Fatal(err)
		}
		before := latest(reading)
		path := fmt.Sprintf("/q/orders-error?read=%d", before+1)
		for _, site := range []string{"cross-site", "same-site"} {
			get(c, path, "Sec-Fetch-Site", site)
		}
		synctest.Wait()
		if latest(reading) != before {
			t.Error("a link of another site has begun a reading")
		}
		if answer := get(c, path, "Sec-Fetch-Site", "same-origin"); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/q/orders-error" {
			t.Errorf("%s to %q", answer.Status, answer.Header.Get("Location"))
		}
		synctest.Wait()
		if latest(reading) != before+1 {
			t.Errorf("the version is %d, want %d", latest(reading), before+1)
		}
		get(c, path) // the page is loaded again
		synctest.Wait()
		if latest(reading) != before+1 {
			t.Error("the same link has begun another reading")
		}
	})
}

func TestAQueueThatIsNotThereSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{})
		answer := get(c, "/q/none-error")
		if page := text(t, answer); answer.StatusCode != http.StatusNotFound || !strings.Contains(page, "There is no queue none-error") {
			t.Errorf("%s\n%s", answer.Status, page)
		}
		if answer := get(c, "/q/orders"); answer.Header.Get("Location") != "/q/orders-error" {
			t.Errorf("a main queue leads to %q", answer.Header.Get("Location"))
		}
	})
}

// hostile is text that pages of others have run or misread.
var hostile = []string{
	`<script>alert(1)</script>`, `</pre></main><img src=x onerror=alert(1)>`, `" onmouseover="alert(1)" x="`, `' autofocus onfocus=alert(1) '`,
	"javascript:alert(1)", "{{.}}${7*7}", "<!--", "]]>", "</textarea></title><svg/onload=alert(1)>", "\u202egnp.exe\u2066", "a\x00b\x1b[31m\r\nSet-Cookie: x=1", "\xff\xfe<b>",
}

// full is a message with a text in every field.
func full(text string, headers int) errorqueue.Message {
	m := errorqueue.Message{
		ID: text, IDGiven: true, Origin: errorqueue.OriginConsumer, Reason: text, Error: text, Type: text, Stack: text + "\n" + text, Group: text,
		Consumer: text, Host: text, App: text, AppVersion: text, Target: text, TargetFrom: "header", Attempts: 2,
		FirstFailedAt: time.Unix(1e9, 0), FailedAt: time.Unix(1e9+1, 0), RedriveCount: 1, RedrivenAt: time.Unix(1e9, 0), RedriveID: text,
		OriginalExchange: text, OriginalRoutingKey: text, OriginalExpiration: text, OriginalUserID: text, Timestamp: time.Unix(1e9, 0), ContentType: text,
		CorrelationID: text, ReplyTo: text, MessageType: text, AppID: text, UserID: text, Priority: 3, Deliveries: 1, Body: []byte("body " + strings.ToValidUTF8(text, "xx")),
		History: []errorqueue.Attempt{{At: time.Unix(1e9, 0), Attempt: 1, Reason: text, Error: text, Host: text}},
		Deaths:  []errorqueue.Death{{Queue: text, Reason: text, Exchange: text, RoutingKey: text, Expiration: text, Count: 1}},
		Headers: map[string]any{text: text, "array": []any{text, int64(1)}, "table": amqp.Table{text: text}, "bytes": []byte(text)},
	}
	m.BodySize = len(m.Body)
	for i := range headers {
		m.Headers[fmt.Sprintf("%s%d", text, i)] = text
	}
	return m
}

// skeleton is the page without its texts and values: elements, and the names of their attributes.
func skeleton(page string) string {
	tags := regexp.MustCompile(`(?s)<[^<]*?>`).FindAllString(page, -1)
	value := regexp.MustCompile(`"[^"]*"`)
	for i, tag := range tags {
		tags[i] = value.ReplaceAllString(tag, `""`)
	}
	return strings.Join(tags, "\n")
}

func TestTextsOfMessagesMakeNoElementsAndNoAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages := func(text string, headers int) (all []string) {
			c := made(t, Config{SpoolDir: t.TempDir()}, full(text, headers))
			mark := markOf(t, c, "orders-error", nil)
			for _, path := range []string{"", "?show=list", "/g/" + groupName(text), "/m/" + mark, "/m/" + mark + "?as=text", "/m/" + mark + "?as=hex"} {
				page := read(t, c, "/q/orders-error"+path)
				_, page, _ = strings.Cut(page, "\r\n\r\n")
				if i := strings.IndexFunc(page, func(r rune) bool {
					return r < ' ' && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
				}); i >= 0 {
					t.Errorf("%q on %q: %q is on the page", text, path, page[max(0, i-40):i+10])
				}
				// A line of a shell is left out if a control character would make it another one.
				page = regexp.MustCompile(`(?s)<p class="command">.*?</p>`).ReplaceAllString(page, "")
				all = append(all, skeleton(page))
			}
			return all
		}
		for n, h := range hostile {
			headers := 10
			if n == 0 {
				headers = 8000
			}
			plain := pages(strings.Repeat("x", len(h)), headers)
			for i, got := range pages(h, headers) {
				if got != plain[i] {
					t.Errorf("%q, page %d: the elements are\n%s\nwant\n%s", h, i, got, plain[i])
				}
			}
		}
	})
}

func TestAHostileFilterMakesNoElements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{}, oneOf("id-1", "boom"))
		for _, h := range []string{`"><script>alert(1)</script>`, `reason="></main><script>"`, "\u202e"} {
			page := read(t, c, "/q/orders-error?filter="+strings.NewReplacer("\"", "%22", "<", "%3C", ">", "%3E", " ", "%20").Replace(h)+"&zone=%22%3E%3Cscript%3E")
			if strings.Contains(page, "<script>") || strings.Count(page, "<script") != 1 {
				t.Errorf("%q makes an element:\n%s", h, page)
			}
		}
	})
}

func TestAWholeBodyIsLoadedByAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := oneOf("id-1", "boom")
		m.Body = []byte(strings.Repeat("0123456789abcdef", 8<<10))
		m.BodySize = len(m.Body)
		c := made(t, Config{SpoolDir: t.TempDir()}, m)
		mark := markOf(t, c, "orders-error", nil)
		page := read(t, c, "/q/orders-error/m/"+mark)
		if !strings.Contains(page, "of which the first 64 KiB were kept") {
			t.Errorf("the page does not say what was kept:\n%s", page[:3000])
		}
		link := regexp.MustCompile(`/q/orders-error/m/` + mark + `/body\?load=\d+`).FindString(page)
		if got := text(t, get(c, link, "Sec-Fetch-Site", "cross-site")); strings.Contains(got, string(m.Body)) {
			t.Error("another site has the queue read")
		}
		if got := text(t, get(c, link)); !strings.HasSuffix(got, string(m.Body)) {
			t.Errorf("the body has not all its bytes: %d", len(got))
		}
	})
}
