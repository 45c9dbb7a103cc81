package drill

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Toll counts who has died. A Fleet and its Kills write it. Its zero value is empty.
type Toll struct {
	mu     sync.Mutex
	deaths Deaths
}

// Deaths are what a Toll has counted.
type Deaths struct {
	Killed map[string]int // by who was killed
	Missed map[string]int // kills that failed, by who was to be killed
	Died   int            // processes that ended on their own
}

// Deaths copies the counts.
func (t *Toll) Deaths() Deaths {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Deaths{maps.Clone(t.deaths.Killed), maps.Clone(t.deaths.Missed), t.deaths.Died}
}

func (t *Toll) killed(who string) { t.with(func(d *Deaths) { increment(&d.Killed, who) }) }
func (t *Toll) missed(who string) { t.with(func(d *Deaths) { increment(&d.Missed, who) }) }
func (t *Toll) died()             { t.with(func(d *Deaths) { d.Died++ }) }

func (t *Toll) with(f func(*Deaths)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.deaths)
}

func increment(counts *map[string]int, name string) {
	if *counts == nil {
		*counts = map[string]int{}
	}
	(*counts)[name]++
}

// Kills says who was killed, and what of this many kills was missed.
func (d Deaths) Kills(planned int) string {
	text := byName(d.Killed)
	if len(d.Missed) > 0 {
		text += "; missed, as the kill failed: " + byName(d.Missed)
	}
	if rest := planned - Sum(d.Killed) - Sum(d.Missed); rest > 0 {
		text += fmt.Sprintf("; missed, as the work was over: %d", rest)
	}
	return strings.TrimPrefix(text, "; ")
}

// Sum adds up counts.
func Sum(counts map[string]int) (n int) {
	for _, one := range counts {
		n += one
	}
	return n
}

// byName is "1 broker, 4 worker", for example.
func byName(counts map[string]int) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(texts, ", ")
}
