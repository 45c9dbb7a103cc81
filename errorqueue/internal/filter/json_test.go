package filter

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// reference looks a path up in the values that encoding/json makes of a text.
func reference(text []byte, path []step, want string, exists bool) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return false
	}
	for _, s := range path {
		if list, ok := v.([]any); ok && s.key == nil && s.index < len(list) {
			v = list[s.index]
			continue
		}
		object, _ := v.(map[string]any)
		if s.key == nil || object == nil {
			return false
		}
		inside, ok := object[*s.key]
		if !ok {
			return false
		}
		v = inside
	}
	return exists || equalText(v, want)
}

func TestAPathLeadsInTheTextToWhatEncodingJSONMakesOfIt(t *testing.T) {
	texts := rapid.SampledFrom([]string{`"a"`, `"\u0061"`, `"b\"]}"`, `"é"`, `"\\"`, "\"\xff\"", `""`})
	keys := []string{"a", "b\"]}", "é", "\\", "\ufffd", ""}
	space := rapid.SampledFrom([]string{"", "", " ", "\n\t\r "})
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			kind := rapid.IntRange(0, 3).Draw(t, "kind")
			if depth == 0 || kind == 0 {
				return rapid.OneOf(texts, rapid.SampledFrom([]string{"1", "1.0", "-2e3", "true", "null", "{}", "[ ]"})).Draw(t, "scalar")
			}
			brackets, n := "[]", rapid.IntRange(0, 3).Draw(t, "n")
			var parts []string
			for range n {
				part := space.Draw(t, "s") + value(depth-1).Draw(t, "v") + space.Draw(t, "s")
				if kind == 1 {
					part, brackets = space.Draw(t, "s")+texts.Draw(t, "key")+space.Draw(t, "s")+":"+part, "{}"
				}
				parts = append(parts, part)
			}
			return brackets[:1] + strings.Join(parts, ",") + brackets[1:]
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(space.Draw(t, "s") + value(3).Draw(t, "value") + rapid.SampledFrom([]string{"", " ", "\n{}", " x", "]"}).Draw(t, "end"))
		var path []step
		for range rapid.IntRange(1, 3).Draw(t, "steps") {
			s := step{index: rapid.IntRange(0, 2).Draw(t, "index")}
			if rapid.Bool().Draw(t, "is key") {
				s.key = &keys[rapid.IntRange(0, len(keys)-1).Draw(t, "key")]
			}
			path = append(path, s)
		}
		wants := []string{"a", "1", "true", "null", "{}", "[]", `["a"]`, `{"a":1}`, "é", ""}
		want, exists := rapid.SampledFrom(wants).Draw(t, "want"), rapid.Bool().Draw(t, "exists")
		d, ok := firstValue(text)
		if ok {
			d, ok = d.at(path)
		}
		if got := ok && (exists || d.equals(want)); got != reference(text, path, want, exists) {
			t.Errorf("in %q the path leads to %q (%v), want otherwise", text, d, ok)
		}
	})
}

func TestAFilterMakesNoValuesOfWhatABodyHoldsBesides(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"id":7,"all":[` + strings.Repeat("{},", 1<<19) + `0]}`))
	_ = z.Close()
	m := &Message{Body: zipped.Bytes(), ContentEncoding: "gzip"}
	for text, want := range map[string]bool{"body.id=7": true, "body.all=7": false, "body.all[0].x": false} {
		f, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := matches(f, m)
		runtime.ReadMemStats(&after)
		if made := (after.TotalAlloc - before.TotalAlloc) >> 20; got != want || made > 16 {
			t.Errorf("%s: %v, and a body of %d bytes took %d MiB", text, got, zipped.Len(), made)
		}
	}
}
