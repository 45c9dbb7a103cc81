package consoleload

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// tap is between a console and its broker, and counts what they say.
type tap struct {
	url      string
	target   string
	listener net.Listener
	pumps    sync.WaitGroup

	mu         sync.Mutex
	asked      map[string][]time.Time // when the broker was asked for a queue's depth
	deliveries int
	methods    int // all that the console has asked for, but heartbeats
	conns      []net.Conn
}

// The methods of AMQP 0-9-1 that are counted: class and method.
const (
	queueDeclare = 50<<16 | 10
	basicDeliver = 60<<16 | 60
	basicGetOk   = 60<<16 | 71
)

func newTap(t *testing.T, broker string) *tap {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal("the broker has no URL")
	}
	p := &tap{target: u.Host, asked: map[string][]time.Time{}}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = p.listener.Addr().String()
	p.url = u.String()
	p.pumps.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *tap) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.pumps.Wait()
}

func (p *tap) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.pumps.Go(func() { p.pump(server, client, true) })
		p.pumps.Go(func() { p.pump(client, server, false) })
	}
}

// pump forwards one direction of a connection, frame by frame.
func (p *tap) pump(to, from net.Conn, asks bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	in, out := bufio.NewReaderSize(from, 64<<10), bufio.NewWriterSize(to, 64<<10)
	if asks { // the client begins with the protocol's name and version
		if _, err := io.CopyN(out, in, 8); err != nil {
			return
		}
	}
	var frame []byte
	for {
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return
			}
		}
		var err error
		if frame, err = readFrame(in, frame); err != nil {
			return
		}
		p.note(frame, asks)
		if _, err := out.Write(frame); err != nil {
			return
		}
	}
}

const frameHead = 7 // bytes: the kind, the channel and the size

var errFrame = errors.New("a frame is too large")

// readFrame reads a frame into a slice, which it returns.
func readFrame(in io.Reader, frame []byte) ([]byte, error) {
	frame = append(frame[:0], make([]byte, frameHead)...)
	if _, err := io.ReadFull(in, frame); err != nil {
		return frame, err
	}
	size := binary.BigEndian.Uint32(frame[3:])
	if size > 1<<24 {
		return frame, errFrame
	}
	frame = append(frame, make([]byte, size+1)...) // with the end mark
	_, err := io.ReadFull(in, frame[frameHead:])
	return frame, err
}

// note counts a frame that has a method.
func (p *tap) note(frame []byte, asks bool) {
	if frame[0] != 1 || len(frame) < frameHead+5 {
		return
	}
	method := binary.BigEndian.Uint32(frame[frameHead:])
	p.mu.Lock()
	defer p.mu.Unlock()
	if asks {
		p.methods++
	}
	switch method {
	case queueDeclare:
		name := frame[frameHead+6:] // behind a reserved number
		queue := string(name[1 : 1+int(name[0])])
		if asks {
			p.asked[queue] = append(p.asked[queue], time.Now())
		}
	case basicDeliver, basicGetOk:
		p.deliveries++
	}
}

// counted is what a tap has seen since another moment.
type counted struct{ asked, deliveries, methods int }

// since returns what was counted after an earlier value. asked is how often a queue's depth was.
func (p *tap) since(queue string, before counted) counted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return counted{len(p.asked[queue]) - before.asked, p.deliveries - before.deliveries, p.methods - before.methods}
}
