package consoleload

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// largest is the body that the broker just takes, unless somebody has set another size.
func largest(t *testing.T) int {
	t.Helper()
	if amqptest.AtLeast(t, 4, 0) {
		return 16 << 20
	}
	return 128 << 20
}

// mostBodies is how many bodies may be in memory while the client library puts one together. It
// lets a body grow by a quarter each time, from parts that it has beside it: so two and a half are
// alive at once, and as much again is garbage that was not collected. The console adds nothing to
// that.
const mostBodies = 5

// TestTheLargestBody looks at a message as large as the broker takes.
func TestTheLargestBody(t *testing.T) {
	amqptest.Long(t)
	b := &table{t: t}
	defer b.print()
	queue := park(t, "large", 20)
	size := largest(t)
	m := parked(queue, 20)
	m.MessageId = "large"
	head := fmt.Sprintf(`{"n":%s,"text":"`, exact)
	m.Body = append(append([]byte(head), bytes.Repeat([]byte("x"), size-len(head)-2)...), `"}`...)
	amqptest.Publish(t, "", queue+"-error", m)
	m.Body = nil

	s := open(t, queue, amqptest.URL(t))
	s.get("/")
	before, _ := resident(t, s.process.Pid())
	idle := s.heap().Live
	b.note("the body", mib(int64(size)))
	s.read(false)
	b.bytes("heap growth at its highest while it is read", s.heap().Highest-idle, int64(mostBodies*size))
	list := s.get(s.page() + "?filter=id%3Dlarge")
	link := markLink.FindString(string(list.body))
	part := s.get(link)
	b.most("its page, bytes", len(part.body), 1<<20)
	b.add(part.has(exact), exact+" on it", fmt.Sprint(part.has(exact)), "true")
	load := readAgain(t, part, `load=(\d+)`)
	whole := s.get(link + "?load=" + load)
	b.most("its page with all of it, bytes", len(whole.body), 1<<20)
	b.add(whole.has(exact), exact+" on it", fmt.Sprint(whole.has(exact)), "true")
	b.bytes("heap growth at its highest meanwhile", s.heap().Highest-idle, int64(mostBodies*size))
	load = readAgain(t, s.get(link), `load=(\d+)`)
	file := s.get(link + "/body?load=" + load)
	b.count("its download, bytes", len(file.body), size)
	b.bytes("heap growth at its highest meanwhile", s.heap().Highest-idle, int64(mostBodies*size))
	b.add(bytes.HasPrefix(file.body, []byte(head)), exact+" in it", "", "true")
	_, highest := resident(t, s.process.Pid())
	b.note("RSS growth at its highest", mib(highest-before))
	b.note("live heap at the end, beside the one at the beginning", mib(s.heap().Live-idle))
}
