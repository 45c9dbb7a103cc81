package main

import (
	"bytes"
	"compress/zlib"
	"embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// Pictures in the public domain, see testdata/NOTICE.md.
//
//go:embed testdata/*.jpg testdata/*.png
var pictures embed.FS

// Request is a picture that somebody wants black and white.
type Request struct {
	ID      string // of the message, and the name of the result
	Format  string // png or jpeg
	Work    string // bw; nobody does anything else
	Body    []byte
	Trouble string
	Twice   bool // it is sent twice

	// Want is what must become of it: done, or refused by the publisher, or the reason for which it
	// is parked.
	Want string
}

// What becomes of a request, besides the reasons for which it is parked.
const (
	done    = "done"
	refused = "refused"
)

// Key is the routing key.
func (r Request) Key() string { return "images." + r.Format + "." + r.Work }

// ContentType is that of the body.
func (r Request) ContentType() string { return "image/" + r.Format }

// requests makes n requests of the pictures, and those that are trouble. Their ids are made of the
// run and a number, so that each run has its own and a run that publishes one again uses the same.
func requests(o Options, run string) []Request {
	rnd := rand.New(rand.NewPCG(o.Seed, 1)) //nolint:gosec // it is played again by its seed
	files, err := pictures.ReadDir("testdata")
	if err != nil {
		panic(err) // they are compiled in
	}
	var all []Request
	for i := range o.N {
		r := picture(files[i%len(files)].Name())
		r.Twice = rnd.IntN(8) == 0
		switch rnd.IntN(12) {
		case 0:
			r.Trouble = troubleFlaky
		case 1:
			r.Trouble = troubleBusy
		}
		all = append(all, r)
	}
	all = append(all, trouble(o)...)
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := range all {
		all[i].ID = fmt.Sprintf("%s-%04d.%s", run, i+1, all[i].Format)
	}
	return all
}

func picture(file string) Request {
	body, err := pictures.ReadFile(path.Join("testdata", file))
	if err != nil {
		panic(err)
	}
	format := "png"
	if strings.HasSuffix(file, ".jpg") {
		format = "jpeg"
	}
	return Request{Format: format, Work: "bw", Body: body, Want: done}
}

// trouble is what nobody can turn black and white.
func trouble(o Options) []Request {
	coffee, cat := picture("coffee.jpg"), picture("cat.png")
	torn, cut, text, bomb, hopeless, large, sepia := coffee, cat, cat, cat, coffee, cat, cat
	torn.Body, torn.Want = coffee.Body[:len(coffee.Body)/2], "error"
	cut.Body, cut.Want = cat.Body[:len(cat.Body)/3], "error"
	text.Body, text.Want, text.Twice = []byte("this is a text, whatever it says of itself"), "error", true
	bomb.Body, bomb.Want = pixelBomb(), "error"
	hopeless.Trouble, hopeless.Want = troubleHopeless, "retries-exhausted"
	large.Body, large.Want = bytes.Repeat(cat.Body, maxBytes/len(cat.Body)+1), refused
	sepia.Work, sepia.Want = "sepia", refused
	all := []Request{torn, cut, text, bomb, hopeless, large, sepia}
	if o.Crash {
		crash := coffee
		crash.Trouble, crash.Want = troubleCrash, "crashed" // by the consumer
		if o.Redis != "" {
			crash.Want = "error" // by Dedupe, whose store has counted the deaths
		}
		all = append(all, crash)
	}
	return all
}

// pixelBomb is a PNG of 67 bytes that says it has 20,000 times 20,000 pixels, which take 1.6 GB.
func pixelBomb() []byte { return emptyPNG(20_000, 20_000) }

// emptyPNG is a PNG that says how many pixels it has, and has none.
func emptyPNG(width, height uint32) []byte {
	head := binary.BigEndian.AppendUint32(nil, width)
	head = append(binary.BigEndian.AppendUint32(head, height), 8, 2, 0, 0, 0) // 8 bits, RGB
	var none bytes.Buffer
	_ = zlib.NewWriter(&none).Close() // a Buffer takes all
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", head), chunk("IDAT", none.Bytes()), chunk("IEND", nil))
}

func chunk(kind string, data []byte) []byte {
	body := append([]byte(kind), data...)
	c := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), body...) //nolint:gosec // some bytes
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(body))
}
