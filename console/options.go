package console

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
)

// options are the fields of a plan's form, as somebody has typed them.
type options struct {
	To, Batches, Watch, Tolerate, Rate, Archive string
	Copy                                        bool
	Sure                                        string // "all", for a plan without a filter
	Name                                        string // the queue's, for a plan that deletes
}

// optionsOf reads the fields of a form.
func optionsOf(form url.Values) options {
	field := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	return options{
		To: field("to"), Batches: field("batches"), Watch: field("watch"), Tolerate: field("tolerate"), Rate: field("rate"),
		Archive: field("archive"), Copy: field("copy") != "", Sure: field("sure"), Name: field("name"),
	}
}

// wrong is what is wrong with fields, by their names.
type wrong map[string]string

// settings are options that were checked.
type settings struct {
	To, Archive    string
	Batches        []int
	Watch          time.Duration
	Tolerate, Rate float64
	Copy           bool
}

const leastRate = 0.01 // messages a second: see errorqueue.RedriveOptions

// check reads the options of a kind of operation. Fields of other kinds are ignored.
func (o options) check(kind operation.Kind, queue, main string) (c settings, w wrong) {
	w = wrong{}
	if kind == operation.Export {
		return c, w
	}
	c.Copy = o.Copy
	if c.Rate = o.number(o.Rate); c.Rate != 0 && c.Rate < leastRate || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0) {
		w["rate"] = "want messages a second, 0.01 or more, or nothing for as fast as it goes"
	}
	switch kind {
	case operation.Redrive:
		o.checkRedrive(&c, w, queue)
	case operation.Archive:
		if c.Archive = o.Archive; c.Archive == queue || c.Archive == main && main != "" {
			w["archive"] = "want another queue than the error queue and the consumer's own"
		}
		tooLong(w, "archive", c.Archive)
	case operation.Delete, operation.Export:
	}
	return c, w
}

// checkRedrive reads what only a redrive has.
func (o options) checkRedrive(c *settings, w wrong, queue string) {
	if c.To = o.To; c.To == queue {
		w["to"] = "want another queue than this error queue"
	}
	tooLong(w, "to", c.To)
	c.Batches = batchSizes(w, o.Batches)
	if o.Watch != "" {
		d, err := time.ParseDuration(o.Watch)
		if c.Watch = d; err != nil || d <= 0 || d > 24*time.Hour {
			w["watch"] = "want a duration such as 90s or 12m, up to 24h, or nothing"
		}
	}
	if c.Tolerate = o.number(o.Tolerate); !(c.Tolerate >= 0 && c.Tolerate <= 1) {
		w["tolerate"] = "want a part from 0 to 1, such as 0.1"
	}
	if len(c.Batches) == 0 && w["batches"] == "" && (c.Watch != 0 || c.Tolerate != 0) {
		w["batches"] = "want sizes: without batches nothing is watched"
	}
}

// batchSizes reads the sizes of batches.
func batchSizes(w wrong, text string) (all []int) {
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(one)
		if err != nil || n < 1 || len(all) == mostBatches {
			w["batches"] = "want sizes such as 1,10,100,1000, or nothing for all at once"
			break
		}
		all = append(all, n)
	}
	return all
}

const (
	mostBatches = 100 // sizes
	mostName    = 255 // bytes of a queue's name
)

// number reads a number, 0 for nothing. What is none is NaN.
func (o options) number(text string) float64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

func tooLong(w wrong, field, name string) {
	if len(name) > mostName {
		w[field] = "the name of a queue has up to 255 bytes"
	}
}

// checkSure adds what is wrong with what was to be typed.
func (o options) checkSure(w wrong, s selection, queue string) {
	if s.all() && s.Kind != operation.Export && o.Sure != "all" {
		w["sure"] = "the plan has no filter: type all"
	}
	if s.Kind == operation.Delete && o.Name != queue {
		w["name"] = "type the name of this queue, as it stands above"
	}
}

// firstOptions are the fields of a form that nobody has filled in.
func firstOptions(kind operation.Kind, count int, archive string) options {
	o := options{Archive: archive}
	if kind == operation.Redrive && count > 10 {
		o.Batches = "1,10,100,1000"
	}
	return o
}
