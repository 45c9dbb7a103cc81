package consumer

import (
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/topology"
)

// found is which partitions of a queue the broker has, as far as a look has told. It is a value.
type found struct {
	waiting   []int  // how many messages wait in each, from the first on, without a gap
	last      bool   // the last one of the n that is wanted is there too, beyond a gap
	consumers int    // how many of those that are too many have consumers
	silent    string // a partition that has not answered the broker, and may have messages; "" if none
}

// unsure returns whether messages may wait that would be a refusal.
func (f found) unsure(n int) bool { return f.silent != "" && f.others(n) && f.refusal(n) == nil }

// count is how many there are before the first gap.
func (f found) count() int { return len(f.waiting) }

// complete returns whether all n are there.
func (f found) complete(n int) bool { return f.count() >= n }

// others returns whether there are partitions of another n. A process declares them from the last
// to the first, so that n are underway where the last one is there.
func (f found) others(n int) bool {
	return f.count() != 0 && f.count() != n && !f.last
}

// refusal returns why consumers of n partitions may not begin, or nil.
//
// With a larger n than before, messages that wait in the old partitions would be handled beside
// later ones of their key. With a smaller one nobody would handle those of the partitions that are
// too many. Where these are empty, what waits in the others was published for the old n as well, or
// for the new one since: that cannot be told. If the new n divides the old one each key stays where
// it is, so that it is no harm.
func (f found) refusal(n int) error {
	if !f.others(n) {
		return nil
	}
	within := f.waiting[:min(n, f.count())]
	beyond := f.waiting[len(within):]
	if sum(beyond) == 0 && (sum(within) == 0 || f.count()%n == 0) {
		return nil
	}
	remedy := fmt.Sprintf("start with %d until they are empty, and publish nothing meanwhile", f.count())
	if f.count() > n && sum(beyond) == 0 {
		remedy += fmt.Sprintf("; or, if %d are left over from before and these messages are new, delete the empty ones (%s)", f.count()-n, f.names(n))
	}
	return fmt.Errorf("%w: there are %d, %d are wanted, and %s: %s", ErrOtherPartitions, f.count(), n, f.where(), remedy)
}

// where says how many messages wait in which partitions.
func (f found) where() string {
	const most = 8
	var all []string
	for i, n := range f.waiting {
		if n > 0 {
			all = append(all, fmt.Sprintf("%d in p%02d", n, i))
		}
	}
	more := ""
	if len(all) > most {
		more = fmt.Sprintf(" and %d more", len(all)-most)
		all = all[:most]
	}
	return fmt.Sprintf("%d messages wait (%s%s)", sum(f.waiting), strings.Join(all, ", "), more)
}

// names are the partitions from n on: "p08 to p15".
func (f found) names(n int) string {
	first, last := topology.PartitionQueue("", n)[1:], topology.PartitionQueue("", f.count()-1)[1:]
	if first == last {
		return first
	}
	return first + " to " + last
}

// leftOver names the partitions that n do not need, "" if there are none.
func (f found) leftOver(n int) string {
	if f.count() <= n {
		return ""
	}
	return f.names(n)
}

func sum(all []int) (n int) {
	for _, one := range all {
		n += one
	}
	return n
}
