package console

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// marksOf opens a queue and returns the marks of its first messages.
func marksOf(t *testing.T, c *Console, queue string) (marks []string) {
	t.Helper()
	page := read(t, c, "/q/"+queue+"?show=list")
	for _, found := range regexp.MustCompile(`<tr data-key="([0-9a-f]{32})"`).FindAllStringSubmatch(page, -1) {
		marks = append(marks, found[1])
	}
	return marks
}

func TestTwoMessagesAreCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := oneOf("id-1", "connection refused"), oneOf("id-2", "card expired")
		a.Headers = map[string]any{"tenant": int32(1), "same": "x", "only-a": true}
		b.Headers = map[string]any{"tenant": int64(1), "same": "x"}
		a.CorrelationID, b.Stack = "c-1", "main.go:7"
		c := made(t, Config{SpoolDir: t.TempDir()}, a, b)
		marks := marksOf(t, c, "orders-error")
		page := read(t, c, "/q/orders-error/compare?a="+marks[0]+"&b="+marks[1])
		for _, want := range []string{
			"card expired", "<del>-   &#34;Id&#34;: &#34;id-<b>1</b>&#34;</del>", "<ins>+   &#34;Id&#34;: &#34;id-<b>2</b>&#34;</ins>", "9007199254740993",
			`tenant <b class="tag warn">differs</b>`, "<small>int32</small>", "<small>int64</small>", "only-a", "c-1", "<ins>+ <b>main.go:7</b></ins>",
			"/q/orders-error/m/" + marks[0], "compare?a=" + marks[1] + "&amp;b=" + marks[0], "bunnicula errors ls orders-error mark=" + marks[0] + "," + marks[1],
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if strings.Contains(page, `same <b class="tag warn"`) {
			t.Error("a header that is the same is marked")
		}
		if page := read(t, c, "/q/orders-error/m/"+marks[1]); !strings.Contains(page, "compare?a="+marks[0]+"&amp;b="+marks[1]) {
			t.Errorf("the message's page does not lead to it:\n%s", page)
		}
		for _, path := range []string{"", "?a=" + marks[0] + "&b=00", "?a=00&b=" + marks[0], "?a=" + marks[0]} {
			if answer := get(c, "/q/orders-error/compare"+path); answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s answers %s", path, answer.Status)
			}
		}
	})
}

func TestAMessageIsComparedWithItsFailureBeforeARedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		m := oneOf("id-1", "card expired")
		m.RedrivenAt, m.RedriveCount = now.Add(-time.Hour), 1
		m.History = []errorqueue.Attempt{
			{At: now.Add(-3 * time.Hour), Attempt: 1, Reason: "timeout", Error: "slow", Host: "h1"},
			{At: now.Add(-2 * time.Hour), Attempt: 2, Reason: "timeout", Error: "<b>refused", Host: "host-1"},
			{At: now.Add(-time.Minute), Attempt: 1, Reason: "error", Error: "card expired", Host: "host-1"},
		}
		c := made(t, Config{}, m)
		mark := markOf(t, c, "orders-error", nil)
		link := "/q/orders-error/compare?a=" + mark
		if page := read(t, c, "/q/orders-error/m/"+mark); !strings.Contains(page, link) {
			t.Errorf("the message's page does not lead to it:\n%s", page)
		}
		page := read(t, c, link)
		for _, want := range []string{"Before and after its redrive", "&lt;b&gt;refused", "card expired", `Reason <b class="tag warn">differs</b>`} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if strings.Contains(page, "slow") || strings.Contains(page, `Host <b`) {
			t.Errorf("the page is:\n%s", page)
		}
	})
}

func TestACutErrorOfTheHistoryIsTheSame(t *testing.T) {
	long := strings.Repeat("x", 300)
	m := &errorqueue.Message{Error: long}
	for earlier, differs := range map[string]bool{long[:200]: false, long[:100]: true, "y" + long[:199]: true} {
		if got := attemptFacts(view{}, errorqueue.Attempt{Error: earlier}, m)[1].Differs; got != differs {
			t.Errorf("%d bytes: %v", len(earlier), got)
		}
	}
}

func TestWhoMayNotReadMayNotCompare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("", Read)
		c := made(t, Config{Identify: func(*http.Request) (User, error) { return user, nil }}, oneOf("id-1", "a"), oneOf("id-2", "b"))
		marks := marksOf(t, c, "orders-error")
		user = User{Grants: []Grant{{Queues: "*", Right: See}}}
		if answer := get(c, "/q/orders-error/compare?a="+marks[0]+"&b="+marks[1]); answer.StatusCode != http.StatusForbidden {
			t.Errorf("it answers %s", answer.Status)
		}
	})
}

func TestBinaryBodiesAreComparedAsDecodeSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := oneOf("id-1", "x"), oneOf("id-2", "x")
		a.Body, b.Body = []byte("\xff1"), []byte("\xff2")
		a.BodySize, b.BodySize = 2, 2
		c := made(t, Config{Decode: func(m *errorqueue.Message) (string, error) { return "number " + string(m.Body[1:]), nil }}, a, b)
		marks := marksOf(t, c, "orders-error")
		if page := read(t, c, "/q/orders-error/compare?a="+marks[0]+"&b="+marks[1]); !strings.Contains(page, "number <b>1</b>") {
			t.Errorf("the page is:\n%s", page)
		}
	})
}

func TestTextsOfComparedMessagesMakeNoElements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := func(text string) string {
			a, b := full(text, 10), full(text, 10)
			line := strings.ReplaceAll(strings.ToValidUTF8(text, "xx"), "\n", " ")
			b.ID, a.Body, b.Body = text+"2", []byte("1 "+line+" 1"), []byte("2 "+line+" 2")
			a.BodySize, b.BodySize = len(a.Body), len(b.Body)
			b.Headers[text], b.Headers["table"], b.Headers["!more"] = "2"+text, amqp.Table{text: text + "2"}, text
			c := made(t, Config{SpoolDir: t.TempDir()}, a, b)
			marks := marksOf(t, c, "orders-error")
			_, page, _ := strings.Cut(read(t, c, "/q/orders-error/compare?a="+marks[0]+"&b="+marks[1]), "\r\n\r\n")
			if i := strings.IndexFunc(page, func(r rune) bool {
				return r < ' ' && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
			}); i >= 0 {
				t.Errorf("%q: %q is on the page", text, page[max(0, i-40):i+10])
			}
			return skeleton(regexp.MustCompile(`(?s)<p class="command">.*?</p>`).ReplaceAllString(page, ""))
		}
		for _, h := range hostile {
			if got, want := page(h), page(strings.Repeat("x", len(h))); got != want {
				t.Errorf("%q: the elements are\n%s\nwant\n%s", h, got, want)
			}
		}
	})
}
