package decide

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzHistory adds an entry to whatever somebody has left in the header. The result can be read, is
// bounded and ends with the new one.
func FuzzHistory(f *testing.F) {
	for _, before := range []string{
		"", "[]", "null", "{}", "[null]", "[1]", `[{"at":1}]`, `[{"attempt":9223372036854775808}]`, `[{"at":"2026-01-01T00:00:00Z","attempt":1,"reason":"retry","error":"e","host":"h","ms":5}]`,
		`[{"AT":"x","At":"y","unknown":{"deep":[[[]]]}}]`, "[" + strings.Repeat(`{"error":"\ud800\u0000"},`, 30) + "{}]", strings.Repeat("[", 5000), "\xff", `[{"error":"` + strings.Repeat("é", 500) + `"}]`,
	} {
		f.Add(before, "2026-01-01T00:00:00Z", "boom", 1, int64(5))
	}
	f.Fuzz(func(t *testing.T, before, at, problem string, attempt int, ms int64) {
		now := past{At: at, Attempt: attempt, Reason: "retry", Error: problem, Host: "h", Milliseconds: ms}
		text := historyOf(before).with(now)
		var all []past
		if err := json.Unmarshal([]byte(text), &all); err != nil || !utf8.ValidString(text) {
			t.Fatalf("%q: %v", text, err)
		}
		if len(all) == 0 || len(all) > maxHistory {
			t.Fatalf("%d entries", len(all))
		}
		last := all[len(all)-1]
		if last.Attempt != attempt || last.Milliseconds != ms || last.Reason != "retry" || last.Host != "h" {
			t.Fatalf("the last is %+v", last)
		}
		for _, p := range all {
			if len(p.At) > 40 || len(p.Reason) > maxPast || len(p.Error) > maxPast || len(p.Host) > maxPast {
				t.Fatalf("an entry is too long: %+v", p)
			}
		}
		if again := historyOf(text).with(now); !strings.HasPrefix(again, "[") || json.Unmarshal([]byte(again), &all) != nil {
			t.Fatalf("what we have written we cannot read: %q", again)
		}
		for _, other := range []any{nil, 7, []byte(before), []any{before}} {
			if err := json.Unmarshal([]byte(historyOf(other).with(now)), &all); err != nil || len(all) != 1 {
				t.Fatalf("a header of type %T gives %d entries, %v", other, len(all), err)
			}
		}
	})
}
