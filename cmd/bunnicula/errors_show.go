package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/inflate"
)

func errorsShow(a *app) *cobra.Command {
	var queue errorsQueue
	var choice choice
	cmd := &cobra.Command{
		Use:   "show QUEUE [ID | TERM...]",
		Short: "Show all that is known of one message",
		Long: `Shows all that is known of a message: why it was parked, its history, headers,
properties and body. It is the one with this message id, or the first that the
terms choose.
` + terms,
		Example: `  bunnicula errors show orders 019f8a3c-7f62-7b1e-9b7e-3a8d1c2e4f50
  bunnicula errors show orders reason=panic
  bunnicula errors show orders --json | jq -r .body`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && isID(args[1]) {
				choice.ids, args = append(choice.ids, args[1]), args[:1]
			}
			filter, err := choice.filter(args[1:])
			if err != nil {
				return err
			}
			queue.name = args[0]
			p := a.progress("read")
			return a.openErrors(cmd, queue, p, func(ctx context.Context, q *errorqueue.Queue) error {
				var found *errorqueue.Message
				for m, err := range q.List(ctx, errorqueue.ListOptions{Filter: filter, Limit: 1, Progress: p.tell}) {
					if err != nil {
						return err
					}
					found = &m
				}
				p.end()
				if found == nil {
					return fmt.Errorf("queue %q has no such message: %s", q.Name(), orAny(filter))
				}
				if a.json {
					return a.printJSON(found, false)
				}
				var text strings.Builder
				writeMessage(&text, found)
				_, err := fmt.Fprint(a.out, text.String())
				return err
			})
		},
	}
	choice.addTo(cmd)
	queue.addTo(cmd)
	return cmd
}

// isID says whether an argument is a message id, and not a term.
func isID(arg string) bool {
	return arg != "" && !strings.ContainsAny(arg, "=~") && !strings.HasPrefix(arg, "header.") && !strings.HasPrefix(arg, "body.") && !strings.HasPrefix(arg, "$")
}

// orAny returns a filter as text.
func orAny(f errorqueue.Filter) string {
	if f.IsZero() {
		return "it is empty"
	}
	return f.String()
}

// writeMessage prints all that is known of a message, the most important part first.
func writeMessage(out *strings.Builder, m *errorqueue.Message) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-12s %s\n", name, value)
		}
	}
	id := plain(m.ID)
	if m.IDGiven {
		id += ", given by a consumer or a redrive: its publisher has set none"
	}
	row("id", id)
	row("mark", m.Mark)
	row("position", fmt.Sprintf("%d in the queue, parked by: %s", m.Position, m.Origin))
	row("reason", plain(m.Reason))
	row("why", why(m))
	row("error", plain(m.Error))
	row("error type", plain(m.Type))
	row("group", plain(m.Group))
	row("consumer", commas(plain(m.Consumer), labelled("app ", plain(m.App)), labelled("version ", plain(m.AppVersion)), labelled("host ", plain(m.Host))))
	row("attempts", number(positive(m.Attempts)))
	row("failed", commas(moment(m.FailedAt), labelled("first ", moment(m.FirstFailedAt))))
	row("redrive to", commas(plain(m.Target), labelled("known from: ", m.TargetFrom)))
	if m.RedriveCount > 0 {
		row("redriven", fmt.Sprintf("%s, last %s, id %s", counted(m.RedriveCount, "time", "times"), moment(m.RedrivenAt), plain(m.RedriveID)))
	}
	row("published", commas(labelled("exchange ", plain(m.OriginalExchange)), labelled("key ", plain(m.OriginalRoutingKey)),
		labelled("expiration ", plain(m.OriginalExpiration)), labelled("user ", plain(m.OriginalUserID))))
	row("due", moment(m.Due))
	row("deliveries", number(positive(m.Deliveries)))
	for _, p := range []struct{ name, value string }{
		{"timestamp", moment(m.Timestamp)}, {"type", m.MessageType}, {"content", commas(m.ContentType, m.ContentEncoding)},
		{"correlation", m.CorrelationID}, {"reply to", m.ReplyTo}, {"app id", m.AppID}, {"user id", m.UserID}, {"priority", number(positive(int(m.Priority)))},
	} {
		row(p.name, plain(p.value))
	}
	writeHistory(out, m)
	if len(m.Headers) > 0 {
		out.WriteString("\nheaders\n")
		for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
			fmt.Fprintf(out, "  %s  %s\n", plain(name), headerValue(m.Headers[name]))
		}
	}
	if m.Illegible {
		out.WriteString("\nmore headers are nested too deep to be read: export has their bytes\n")
	}
	if m.Stack != "" {
		fmt.Fprintf(out, "\nstack\n%s\n", indented(plainLines(strings.TrimRight(m.Stack, "\n"))))
	}
	writeBody(out, m)
}

// writeBody prints the body, without its content encoding if that can be undone.
func writeBody(out *strings.Builder, m *errorqueue.Message) {
	body, encoded, err := m.Decoded()
	writeEncoded(out, m.BodySize, m.ContentEncoding, body, encoded, err)
}

// writeEncoded prints a body of so many bytes, as its Decoded has returned it.
func writeEncoded(out *strings.Builder, bytes int, encoding string, body []byte, encoded bool, err error) {
	size := counted(bytes, "byte", "bytes")
	switch {
	case err != nil:
		size += ", as it came: " + plain(err.Error())
	case encoded:
		size += fmt.Sprintf(" (%s), decoded %s", plain(encoding), counted(len(body), "byte", "bytes"))
	}
	fmt.Fprintf(out, "\nbody, %s\n%s\n", size, indented(bodyText(body, encoded && len(body) > inflate.PrintMost)))
}

func writeHistory(out *strings.Builder, m *errorqueue.Message) {
	if len(m.History) > 0 {
		out.WriteString("\nattempts\n")
	}
	for _, h := range m.History {
		fmt.Fprintf(out, "  %d  %s  %s  %s\n", h.Attempt, moment(h.At), plain(h.Reason), commas(plain(h.Error), labelled("host ", plain(h.Host)), fmt.Sprintf("took %s", h.Took)))
	}
	if len(m.Deaths) > 0 {
		out.WriteString("\nsays the broker (x-death)\n")
	}
	for _, d := range m.Deaths {
		fmt.Fprintf(out, "  %s  %s  %s\n", moment(d.At), plain(d.Reason), commas(labelled("queue ", plain(d.Queue)), counted(d.Count, "time", "times"),
			labelled("exchange ", plain(d.Exchange)), labelled("key ", plain(d.RoutingKey)), labelled("expiration ", plain(d.Expiration))))
	}
}

// headerValue returns a header as text: text unchanged, bytes in hex, other values as in JSON.
func headerValue(v any) string {
	switch v := v.(type) {
	case string:
		return plain(v)
	case []byte:
		if utf8.Valid(v) {
			return plain(string(v))
		}
		return plain("hex " + hex.EncodeToString(v))
	case time.Time:
		return moment(v)
	}
	if text, err := json.Marshal(v); err == nil {
		return plain(string(text))
	}
	return plain(fmt.Sprint(v))
}

// bodyText returns a body as indented JSON, text, or a hex dump, of the first 64 KiB or the first 4
// KiB of a dump. raw says that --json has the body only as it came.
func bodyText(body []byte, raw bool) string {
	const dumped = 4 << 10
	var pretty bytes.Buffer
	switch {
	case len(body) == 0:
		return "(empty)"
	case len(body) <= maxText && indents(body) && json.Indent(&pretty, body, "", "  ") == nil && pretty.Len() <= 4*maxText:
		return foreign.Lines(pretty.String(), len("·")*pretty.Len())
	case !utf8.Valid(body):
		shown := body[:min(len(body), dumped)]
		return strings.TrimRight(hex.Dump(shown), "\n") + more(len(body)-len(shown), raw)
	}
	text := foreign.Cut(string(body), maxText)
	return foreign.Lines(text, len("·")*len(text)) + more(len(body)-maxText, raw)
}

// indents returns whether a body that is JSON stays small when it is indented. 20 kB of brackets
// inside one another would become 200 MB.
func indents(body []byte) bool {
	depth, size := 0, 0
	for _, b := range body { // a bracket in a text counts too
		switch b {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
		default:
			continue
		}
		if size += 2 * max(depth, 0); size > 4*maxText {
			return false
		}
	}
	return true
}

// more says that n bytes of a body are not shown.
func more(n int, raw bool) string {
	switch {
	case n <= 0:
		return ""
	case raw:
		return fmt.Sprintf("\n... and %d bytes more (--json has the body as it came)", n)
	}
	return fmt.Sprintf("\n... and %d bytes more (--json has them all)", n)
}

func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

func positive(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

// labelled returns a value with its label, "" if there is no value.
func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + value
}

// commas joins the parts that are not empty.
func commas(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
