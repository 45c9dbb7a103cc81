package wire

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestHeadersBecomeWhatTheClientSends(t *testing.T) {
	type text string
	type flag bool
	type small uint8
	n := 3
	for name, c := range map[string]struct{ give, want any }{
		"int":               {math.MaxInt64, int64(math.MaxInt64)},
		"uint":              {uint(5), int64(5)},
		"uint64":            {uint64(math.MaxInt64), int64(math.MaxInt64)},
		"byte":              {byte(5), byte(5)},
		"named byte":        {small(5), int64(5)},
		"named string":      {text("a"), "a"},
		"named bool":        {flag(true), true},
		"duration":          {time.Millisecond, int64(time.Millisecond)},
		"nil":               {nil, nil},
		"pointer":           {&n, int64(3)},
		"nil pointer":       {(*int)(nil), nil},
		"bytes":             {[]byte("a"), []byte("a")},
		"named bytes":       {json.RawMessage("a"), []byte("a")},
		"array of bytes":    {[2]byte{1, 2}, []byte{1, 2}},
		"empty list":        {[]int{}, []any{}},
		"list of ints":      {[]int{1}, []any{int64(1)}},
		"list of anything":  {[]any{1, "a", nil}, []any{int64(1), "a", nil}},
		"table":             {amqp.Table{"a": 1}, amqp.Table{"a": int64(1)}},
		"map":               {map[string]int{"a": 1}, amqp.Table{"a": int64(1)}},
		"map of named keys": {map[text]any{"a": []string{"b"}}, amqp.Table{"a": []any{"b"}}},
	} {
		got, err := Headers(map[string]any{"h": c.give})
		if err != nil || !reflect.DeepEqual(got["h"], c.want) {
			t.Errorf("%s: %T %v, %v; want %T %v", name, got["h"], got["h"], err, c.want, c.want)
		}
	}
}

func TestAHeaderThatAMQPCannotCarryIsNamed(t *testing.T) {
	long := strings.Repeat("x", 256)
	deep := any(1)
	for range maxDepth {
		deep = []any{deep}
	}
	loop := map[string]any{}
	loop["l"] = loop
	for want, h := range map[string]map[string]any{
		`header "h": AMQP has no type for struct {}`:  {"h": struct{}{}},
		`header "h": +Inf: the broker reads finite`:   {"h": math.Inf(1)},
		`[0]: NaN: the broker reads finite numbers`:   {"h": []float32{float32(math.NaN())}},
		`header "h": AMQP has no type for complex`:    {"h": 1i},
		`header "h": AMQP has no type for func()`:     {"h": func() {}},
		`header "h": AMQP has no type for map[int]`:   {"h": map[int]string{}},
		`header "h": 9223372036854775808 does not`:    {"h": uint64(math.MaxInt64 + 1)},
		`[0]: [0]: nested deeper than 16`:             {"h": deep},
		`"l": nested deeper than 16`:                  loop,
		`header "h": "a": [1]: AMQP has no type`:      {"h": map[string]any{"a": []any{1, struct{}{}}}},
		`header name "xxxxx`:                          {long: 1},
		`header "h": key "xxxxx`:                      {"h": map[string]any{long: 1}},
		`there are 8129, want at most 8128`:           numbered(8129),
		`header "h": 8193 entries, want at most 8192`: {"h": make([]int32, 8193)},
		`header "h": "m": 8193 entries, want at most`: {"h": map[string]any{"m": numbered(8193)}},
	} {
		if _, err := Headers(h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for name, h := range map[string]map[string]any{
		"depth": {"h": deep.([]any)[0]}, "number": numbered(8128), "entries": {"h": make([]int32, 8192), "m": numbered(8192)},
	} {
		if _, err := Headers(h); err != nil {
			t.Errorf("at the limit of %s: %v", name, err)
		}
	}
}

func numbered(n int) map[string]any {
	m := map[string]any{}
	for i := range n {
		m[strconv.Itoa(i)] = true
	}
	return m
}

func TestCheckRefusesWhatTheClientCannotWrite(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, h := range map[string]amqp.Table{
		"type":        {"h": uint64(1)},
		"infinite":    {"h": math.Inf(1)},
		"no number":   {"h": []any{amqp.Table{"h": float32(math.NaN())}}},
		"nested type": {"h": []any{amqp.Table{"h": struct{}{}}}},
		"name":        {long: 1},
		"entries":     amqp.Table(numbered(8193)),
		"nested list": {"h": []any{make([]any, 8193)}},
		"nested name": {"h": amqp.Table{"h": []any{amqp.Table{long: 1}}}},
	} {
		if err := Check(h); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, h := range []amqp.Table{nil, {}, {long[1:]: amqp.Table{long[1:]: nil}}} {
		if err := Check(h); err != nil {
			t.Error(err)
		}
	}
}

func TestSizeIsWhatTheClientSends(t *testing.T) {
	c := newClient(t)
	for name, v := range map[string]any{
		"nil": nil, "bool": true, "byte": byte(1), "int8": int8(1), "int16": int16(1), "int32": int32(1), "int64": int64(1), "int": 1,
		"uint16": uint16(1), "uint32": uint32(1), "float32": float32(1), "float64": 1.0, "decimal": amqp.Decimal{}, "time": time.Unix(0, 0),
		"string": "abc", "empty": "", "bytes": []byte("abc"), "list": []any{int64(1), "a", []any{nil}}, "table": amqp.Table{"a": amqp.Table{}, "b": nil},
	} {
		h := amqp.Table{"name": v}
		if got, want := Size(h), c.size(t, h); got != want {
			t.Errorf("%s: Size is %d, the client sends %d", name, got, want)
		}
	}
}

// grow makes a value of bytes, and returns the rest of them.
func grow(data []byte, depth int) (any, []byte) {
	if len(data) == 0 {
		return nil, nil
	}
	kind, data := data[0], data[1:]
	take := func(n int) (b []byte) {
		n = min(n, len(data))
		b, data = data[:n], data[n:]
		return b
	}
	number := func() (n int64) {
		for _, b := range take(8) {
			n = n<<8 | int64(b)
		}
		return n
	}
	switch kind % 20 {
	case 0:
		return nil, data
	case 1:
		return kind > 100, data
	case 2:
		return int(number()), data
	case 3:
		return int8(number()), data
	case 4:
		return int16(number()), data
	case 5:
		return int32(number()), data
	case 6:
		return number(), data
	case 7:
		return uint64(number()), data
	case 8:
		return uint16(number()), data
	case 9:
		return uint32(number()), data
	case 10:
		return math.Float64frombits(uint64(number())), data
	case 11:
		return float32(number()), data
	case 12:
		return amqp.Decimal{Scale: kind, Value: int32(number())}, data
	case 13:
		return time.Unix(number(), 0), data
	case 14:
		return take(int(kind)), data
	case 15, 16:
		return string(take(int(kind) * 2)), data
	case 17:
		list := []any{}
		for range kind / 20 {
			var v any
			v, data = grow(data, depth+1)
			list = append(list, v)
		}
		return list, data
	case 18:
		table := map[string]any{}
		for range kind / 20 {
			k := string(take(int(kind) % 7))
			table[k], data = grow(data, depth+1)
		}
		return table, data
	}
	return struct{}{}, data
}

func FuzzHeaders(f *testing.F) {
	f.Add([]byte{18 + 100, 1, 2, 3, 6, 9, 9, 9, 9, 9, 9, 9, 9, 17 + 60, 15, 97, 98})
	f.Add([]byte{38, 97, 2, 1})
	f.Add([]byte(strings.Repeat("\xd6abc", 20)))
	f.Add([]byte{14 + 20, 1, 2, 3})
	for i := range byte(20) {
		f.Add([]byte{i + 120, 1, 2, 3, 4, 5, 6, 7, 8, i + 40, 9, 9, 9})
	}
	c := newClient(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, rest := grow(data, 0)
		given := map[string]any{"a": v, string(rest): 1}
		h, err := Headers(maps.Clone(given))
		if err != nil {
			// The error says why. The test only needs that there is no panic.
			return
		}
		if err := Check(h); err != nil {
			t.Fatalf("Headers makes what Check refuses: %v", err)
		}
		if got, want := Size(h), c.size(t, h); got != want {
			t.Errorf("Size is %d, the client sends %d: %#v", got, want, h)
		}
	})
}

func TestIntReadsWhatAnyClientMayHaveWritten(t *testing.T) {
	for _, v := range []any{3, int8(3), int16(3), int32(3), int64(3), byte(3), uint16(3), uint32(3), float32(3), 3.9, "3", []byte("3")} {
		if got := Int(v); got != 3 {
			t.Errorf("Int(%T) is %d, want 3", v, got)
		}
	}
	for _, v := range []any{nil, true, -1, int64(math.MinInt64), -1.0, math.NaN(), math.Inf(-1), "", "x", "-5", "1e3", []any{3}, amqp.Table{}, time.Now(), amqp.Decimal{Value: 3}} {
		if got := Int(v); got != 0 {
			t.Errorf("Int(%v) is %d, want 0", v, got)
		}
	}
	for _, v := range []any{int64(math.MaxInt64), math.MaxFloat64, math.Inf(1), "99999999999999999999999"} {
		if got := Int(v); got != math.MaxInt32 {
			t.Errorf("Int(%v) is %d, want the largest", v, got)
		}
	}
}

func FuzzInt(f *testing.F) {
	f.Add([]byte{2, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Add([]byte{15 + 40, '1', '2'})
	f.Fuzz(func(t *testing.T, data []byte) {
		v, _ := grow(data, 0)
		if n := Int(v); n < 0 || n > math.MaxInt32 {
			t.Errorf("Int(%v) is %d", v, n)
		}
	})
}

func TestTheRecordOfDeathsIsKnownByNameAndByBytes(t *testing.T) {
	for name, want := range map[string]bool{
		"x-death": true, "x-first-death-queue": true, "x-last-death-reason": true, "x-first-death-": true,
		"x-first-death": false, "x-deaths": false, "x-deat": false, "X-Death": false, "x-stream-offset": false, "": false,
	} {
		if got := [2]bool{IsDeath(name), IsDeath([]byte(name))}; got != [2]bool{want, want} {
			t.Errorf("%q: %v, want %t", name, got, want)
		}
	}
}

func TestToLookForDeathsDoesNotAllocate(t *testing.T) {
	name := []byte("x-last-death-" + strings.Repeat("long", 40))
	if n := testing.AllocsPerRun(100, func() { IsDeath(name) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHeadersHaveOwners(t *testing.T) {
	for name, want := range map[string][3]bool{ // ours, the broker's, routing
		"retry-attempts": {true, false, false}, "bunnicula-reason": {true, false, false}, "bunnicula-": {true, false, false},
		"x-death": {false, true, false}, "x-delivery-count": {false, true, false}, "x-acquired-count": {false, true, false},
		"x-first-death-queue": {false, true, false}, "x-last-death-reason": {false, true, false}, "x-stream-offset": {false, true, false},
		"x-opt-rabbitmq-sent-time": {false, true, false}, "x-opt-a": {}, "x-stream-filter-value": {},
		"CC": {false, false, true}, "BCC": {false, false, true},
		"traceparent": {}, "x-mine": {}, "Retry-Attempts": {}, "cc": {}, "": {}, "bunnicula": {},
	} {
		if got := [3]bool{IsOurs(name), IsBrokers(name), IsRouting(name)}; got != want {
			t.Errorf("%q: ours, broker's, routing: %v, want %v", name, got, want)
		}
	}
}
