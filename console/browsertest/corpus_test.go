package browsertest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// hostile are texts of somebody who wants their script to run, or the page to lie.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)' autofocus onfocus='alert(1)`,
	`</pre></code></td></table></main></body><script>alert(1)</script>`,
	`</title></textarea></noscript></style><svg onload=alert(1)>`,
	`javascript:alert(1)//`,
	`{{template "layout" .}}{{alert}}${alert(1)}`,
	"&lt;script&gt;&#0;&#x202e;&colon;",
	"gnp.\u202eevil\u202d\u2066text\u2069\u200f\u061c",
	"\x00\x01\x07\x1b[31mred\x1b[0m\x7f\u0085\u2028\u2029\r\n\ttail",
	"not UTF-8: \xff\xfe\xc3\x28 \xed\xa0\x80",
	`<base href="https://example.com/"><meta http-equiv="refresh" content="0;url=https://example.com/"><link rel=stylesheet href=//example.com/x.css>`,
	`<form id=main><input name=attributes><iframe srcdoc="<script>alert(1)</script>">`,
	strings.Repeat("A", 3_000) + strings.Repeat("\u0301", 300),
}

// plainHeaders are those of ours that are texts.
var plainHeaders = []string{
	"reason", "error", "error-type", "error-group", "stack", "queue", "consumer", "app", "app-version", "host",
	"original-exchange", "original-routing-key", "original-expiration", "original-user-id", "redrive-id", "failed-at", "history",
}

// hostileMessages have the texts in every field that a publisher may set, one message a text.
func hostileMessages(now time.Time) (all []amqp.Publishing) {
	for i, text := range hostile {
		short := strings.ToValidUTF8(text[:min(len(text), 200)], "?")
		h := amqp.Table{"colour " + short: text, "list": []any{text, amqp.Table{"in": text}}, "bytes": []byte(text)}
		for _, name := range plainHeaders {
			h["bunnicula-"+name] = text
		}
		if i%2 == 0 { // else nobody can read when and how it failed
			history, _ := json.Marshal([]map[string]any{{"at": now, "attempt": 1, "reason": text, "error": text, "host": text, "ms": 5}})
			h["bunnicula-history"], h["bunnicula-failed-at"] = string(history), now.Format(time.RFC3339)
		}
		h["x-death"] = []any{amqp.Table{"queue": text, "reason": text, "exchange": text, "routing-keys": []any{text}, "count": int64(2), "time": now}}
		all = append(all, amqp.Publishing{
			MessageId: short, ContentType: short, ContentEncoding: short, CorrelationId: short, ReplyTo: short, Type: short, AppId: short,
			Headers: h, Body: []byte(text),
		})
	}
	body, _ := json.Marshal(map[string]any{hostile[0]: hostile, hostile[3]: json.Number("9007199254740993")})
	many := amqp.Table{"bunnicula-error": "thousands of headers"}
	for i := range 8_000 { // some 112 kB, which is about what a frame takes
		many[fmt.Sprintf("h%04d", i)] = "<b>"
	}
	return append(all,
		amqp.Publishing{MessageId: "json", ContentType: "application/json", Body: body},
		amqp.Publishing{MessageId: "many", Headers: many},
		amqp.Publishing{}, // nothing at all
	)
}
