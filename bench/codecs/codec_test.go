package codecs

import (
	"reflect"
	"syscall"
	"testing"
)

func read(t testing.TB) documents {
	t.Helper()
	d, err := readDocuments()
	if err != nil {
		t.Fatal(err)
	}
	if len(d.conversations) != 3080 {
		t.Fatalf("%d conversations, want 3080", len(d.conversations))
	}
	return d
}

func TestAllDecodeTheSame(t *testing.T) {
	d := read(t)
	for _, c := range codecs[1:] {
		same[conversation](t, c, d.conversations)
		same[page](t, c, d.pages)
		same[[]conversation](t, c, d.histories)
	}
}

func same[T any](t *testing.T, c codec, all [][]byte) {
	t.Helper()
	for _, text := range all {
		var want, got T
		if err := codecs[0].decode(text, &want); err != nil {
			t.Fatal(err)
		}
		if err := c.decode(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s makes %+v (%v) of %s", c.name, got, err, text)
		}
	}
}

func TestNoneTakesWhatIsNotJSON(t *testing.T) {
	for _, c := range codecs {
		for _, text := range []string{"", "{", `{"id":1}`, `{"id":"a"} x`} {
			var to conversation
			if err := c.decode([]byte(text), &to); err == nil {
				t.Errorf("%s takes %q for a conversation", c.name, text)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	d := read(b)
	b.Run("conversation", func(b *testing.B) { decodeAll[conversation](b, d.conversations) })
	b.Run("page", func(b *testing.B) { decodeAll[page](b, d.pages) })
	b.Run("history", func(b *testing.B) { decodeAll[[]conversation](b, d.histories) })
}

// decodeAll decodes one document after the other, so that the branch predictor cannot learn one
// document.
func decodeAll[T any](b *testing.B, all [][]byte) {
	size := 0
	for _, text := range all {
		size += len(text)
	}
	for _, c := range codecs {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size / len(all)))
			i, before := 0, cpu(b)
			for b.Loop() {
				var to T
				if err := c.decode(all[i%len(all)], &to); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu returns the CPU that this process has used, including the garbage collector. Unlike ns/op, it
// does not include the time of other processes on a busy machine.
func cpu(b *testing.B) int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}
