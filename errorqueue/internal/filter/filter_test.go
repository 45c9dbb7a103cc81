package filter

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// exampleMessage is the message to which filters are applied. It was parked three hours ago.
func exampleMessage() *Message {
	return &Message{
		ID: "m1", Reason: "timeout", Type: "*net.OpError", Error: `dial tcp: Connection refused`, Group: "g1", Consumer: "c", Host: "h", App: "shop",
		Target: "orders", RedriveID: "r1", Mark: "a1", Since: now.Add(-3 * time.Hour),
		Headers: map[string]any{"tenant": "acme", "n": int32(42), "odd name": []byte("x"), "flag": true, "empty": ""},
		Body:    []byte(`{"user": {"id": 42, "name": "Ann, B", "big": 9007199254740993, "none": null}, "items": [{"sku": "A-1"}, {"sku": "B 2"}], "rate": 1.50, "ok": true, "a.b": 1}`),
	}
}

// matches says whether a filter chooses a message. A wrong filter chooses none.
func matches(f Filter, m *Message) bool {
	at, err := f.At(now)
	return err == nil && at.Matches(m)
}

func TestAFilterChooses(t *testing.T) {
	for text, want := range map[string]bool{
		"":                            true,
		"reason=timeout":              true,
		"reason=panic,timeout":        true,
		"reason=panic reason=timeout": true,
		"reason=panic":                false,
		"reason=timeout id=m2":        false,
		"type=*net.OpError":           true,
		"group=g1 consumer=c host=h":  true,
		"app=shop queue=orders":       true,
		"queue=emails":                false,
		`error~"connection refused"`:  true,
		"error~REFUSED":               true,
		"error~timeout":               false,
		"older=2h":                    true,
		"older=3h":                    false,
		"newer=1d":                    true,
		"newer=2h59m":                 false,
		"older=2h newer=4h":           true,
		"before=2026-11-01T09:00:01Z": true,
		"before=2026-11-01T09:00:00Z": false, // the time of the message
		"after=2026-11-01T09:00:00Z":  true,
		"after=2026-11-01T09:00:01Z":  false,
		"after=2026-11-01":            true,
		"before=2026-11-01":           false,
		"before=2026-11-02":           true,
		"after=2026-11-02":            false,
		"after=2026-11-01T11:00:00+02:00 before=2026-11-01T11:00:01+02:00": true,
		"redrive=r1":              true,
		"redrive=r0":              false,
		"mark=0f,a1":              true,
		"mark=a":                  false,
		"mark=a1 id=m2":           false,
		"header.tenant":           true,
		"header.tenant=acme":      true,
		"header.tenant=acm":       false,
		"header.nobody":           false,
		"header.nobody=":          false,
		"header.empty=":           true,
		"header.n=42":             true,
		"header.flag=true":        true,
		`"header.odd name"=x`:     true,
		"body.user.id=42":         true,
		"$.user.id=42":            true,
		"body.$.user.id=42.0":     true,
		"body.user.id=43":         false,
		"body.user":               true,
		"body.user.nobody":        false,
		`body.user.name="Ann, B"`: true,
		// The text behind the space is another term: see below.
		"body.user.name=Ann, B":             false,
		"body.user.big=9007199254740993":    true,
		"body.user.big=9007199254740992":    false,
		"body.user.none=null":               true,
		"body.items[1].sku=\"B 2\"":         true,
		"body.items[2].sku":                 false,
		"body.rate=1.5":                     true,
		"body.rate=15e-1":                   true,
		"body.rate=1e999999999":             false,
		"body.ok=true":                      true,
		"body['a.b']=1":                     true,
		"body.a.b=1":                        false,
		"reason=timeout body.user.id=42   ": true,
	} {
		f, err := Parse(strings.Replace(text, "body['", "body.['", 1))
		if text == "body.user.name=Ann, B" {
			if err == nil {
				t.Errorf("%s is taken", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := matches(f, exampleMessage()); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestAMessageWithoutATimeHasNoAge(t *testing.T) {
	m := exampleMessage()
	m.Since = time.Time{}
	for _, f := range []Filter{{OlderThan: time.Nanosecond}, {NewerThan: 10000 * time.Hour}, {Before: now}, {After: time.Unix(0, 0)}} {
		if matches(f, m) {
			t.Errorf("%v fits what has no age", f)
		}
	}
}

func TestABodyThatIsNotJSONHasNoPaths(t *testing.T) {
	m := exampleMessage()
	for _, body := range []string{"", "not json", "[1,2]", "42", `{"user": 1}`} {
		m.Body = []byte(body)
		if f := (Filter{Body: []Body{{Path: "user.id", Exists: true}}}); matches(f, m) {
			t.Errorf("%s has user.id", body)
		}
	}
}

func TestAWrongFilterNamesFieldAndValue(t *testing.T) {
	for text, want := range map[string]string{
		"older=soon":                        `older is "soon", want a duration above 0, such as 90s, 15m, 2h30m or 3d`,
		"older=-2h":                         `older is "-2h"`,
		"older=0s":                          `older is "0s"`,
		"newer=2":                           `newer is "2"`,
		"newer=2h,3h":                       `newer is "2h,3h", want one value`,
		"older=1h older=2h":                 `older is "2h", want to be given once`,
		"before=soon":                       `before is "soon", want a time such as 2026-11-01T10:31:00Z, or a date`,
		"after=2026-11-31":                  `after is "2026-11-31", want a time`,
		"after=2026-11-01T10:31":            `want a time`,
		"before=0001-01-01":                 `before is "0001-01-01", want a time`, // which would be any time
		"after=10000-01-01":                 `want a time`,
		"after=2026-11-01 after=2026-11-02": `after is "2026-11-02", want to be given once`,
		"before":                            `before is "", want a value, as in before=2026-11-01`,
		"mark=":                             `mark is "", want a value`,
		"older":                             `older is "", want a value, as in older=2h`,
		"older~2h":                          `a term is "older~", want older= and a value, as in older=2h`,
		"reason":                            `reason is "", want a value`,
		"reason=":                           `reason is "", want a value`,
		"reason~time":                       `a term is "reason~", want reason= and a value`,
		"error=refused":                     `a term is "error=", want error~ and a part of the text`,
		`error~"connection`:                 `want its closing quote`,
		`error~conn"ection`:                 `a value is "conn\"ection", want quotes around all of it`,
		`reason="a"b`:                       `want a space behind the closing quote`,
		"refused":                           `a term is "refused", want error~refused for a part of an error's text, or`,
		`"connection refused"`:              `want error~"connection refused" for a part`,
		"color=red":                         `a term is "color", want one of reason, error`,
		"=timeout":                          `want name=value`,
		"header.=x":                         `want name=value`,
		"header.tenant~ac":                  `a term is "header.tenant~", want header.tenant= and a value`,
		"body.user.=1":                      `body is "user.", want a name behind each dot`,
		"body.items[x]=1":                   `body is "items[x]", want a number from 0`,
		"body.items[1=1":                    `want a number from 0`,
		"body.['a=1":                        `want a closing ']`,
		"reason=timeout body.=red":          `want name=value`,
	} {
		_, err := Parse(text)
		var field *Error
		if err == nil || !errors.As(err, &field) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// filters draws filters of which each field may be set.
func filters() *rapid.Generator[Filter] {
	value := rapid.OneOf(rapid.StringMatching(`[a-z*.]{1,5}`), rapid.StringN(1, 6, 20))
	list := rapid.SliceOfN(value, 0, 3)
	ages := rapid.SampledFrom([]time.Duration{0, time.Second, 90 * time.Minute, 48 * time.Hour, 1500 * time.Millisecond})
	times := rapid.SampledFrom([]time.Time{{}, now, time.Unix(1, 500).In(time.FixedZone("", 3600)), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)})
	return rapid.Custom(func(t *rapid.T) Filter {
		f := Filter{
			Reasons: list.Draw(t, "reasons"), ErrorTypes: list.Draw(t, "types"), Groups: list.Draw(t, "groups"), IDs: list.Draw(t, "ids"),
			Consumers: list.Draw(t, "consumers"), Hosts: list.Draw(t, "hosts"), Apps: list.Draw(t, "apps"), Targets: list.Draw(t, "targets"),
			RedriveIDs: list.Draw(t, "redrives"), Marks: list.Draw(t, "marks"),
			OlderThan: ages.Draw(t, "older"), NewerThan: ages.Draw(t, "newer"), Before: times.Draw(t, "before"), After: times.Draw(t, "after"),
		}
		if rapid.Bool().Draw(t, "error") {
			f.ErrorContains = value.Draw(t, "text")
		}
		for range rapid.IntRange(0, 2).Draw(t, "headers") {
			h := Header{Name: value.Draw(t, "name"), Exists: rapid.Bool().Draw(t, "exists")}
			if !h.Exists {
				h.Value = rapid.String().Draw(t, "value")
			}
			f.Headers = append(f.Headers, h)
		}
		for range rapid.IntRange(0, 2).Draw(t, "paths") {
			f.Body = append(f.Body, Body{Path: rapid.SampledFrom([]string{"a.b", "a[0].c", "['x y=z'].d"}).Draw(t, "path"), Value: rapid.String().Draw(t, "body")})
		}
		return f
	})
}

func TestAFilterIsReadBackFromItsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := filters().Draw(t, "filter")
		got, err := Parse(f.String())
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if got.String() != f.String() || got.IsZero() != f.IsZero() {
			t.Fatalf("%#v\nis read back as\n%#v", f, got)
		}
		if f.ErrorContains != got.ErrorContains || !reflect.DeepEqual(f.Headers, got.Headers) || !reflect.DeepEqual(f.Body, got.Body) || f.OlderThan != got.OlderThan ||
			!f.Before.Equal(got.Before) || !f.After.Equal(got.After) {
			t.Fatalf("%#v\nis read back as\n%#v", f, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{`reason=timeout older=2h body.user.id=42 error~"connection refused"`, `"header.a b"="c\x00" $.x[1]['y']`, "older=3d2h", `id=a,"b,c"`, "body.$"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := Parse(text)
		if err != nil {
			return
		}
		matches(parsed, exampleMessage())
		again, err := Parse(parsed.String())
		if err != nil || again.String() != parsed.String() {
			t.Errorf("%q becomes %q, which becomes %q, %v", text, parsed, again, err)
		}
	})
}
