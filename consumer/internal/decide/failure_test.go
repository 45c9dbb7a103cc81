package decide

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

var errBoom = errors.New("boom")

// list is an error that cannot be compared.
type list []string

func (l list) Error() string { return l[0] }

func TestFailuresOfOneKindHaveOneGroup(t *testing.T) {
	group := func(err error) string { return fingerprint("orders", err, monitoring.ReasonError) }
	for name, same := range map[string][]error{
		"numbers": {errors.New("order 7 of 12 failed"), errors.New("order 1234567 of 8 failed")},
		"UUIDs":   {errors.New("no user 0198c0de-1111-7abc-8def-001122334455"), errors.New("no user 0198FFFF-2222-7ABC-9DEF-AABBCCDDEEFF")},
		"hex":     {errors.New("at 0xc000012345"), errors.New("at 0xdeadbeef")},
		"hashes":  {errors.New("commit 9f86d081884c7d65 is missing"), errors.New("commit 2c26b46b68ffc68f is missing")},
		"quotes":  {errors.New(`no column "email"`), errors.New(`no column "name and more"`)},
		"ports":   {errors.New("dial 10.0.0.1:5672: refused"), errors.New("dial 10.20.30.40:15672: refused")},
		"times":   {errors.New("at 2026-01-02T03:04:05Z"), errors.New("at 2027-11-12T13:14:15Z")},
		"wrapped": {&fs.PathError{Op: "open", Path: "7", Err: errBoom}, &fs.PathError{Op: "open", Path: "8", Err: errBoom}},
	} {
		if a, b := group(same[0]), group(same[1]); a != b || a == "" {
			t.Errorf("%s: %v and %v have the groups %s and %s", name, same[0], same[1], a, b)
		}
	}
}

func TestPartitionsOfOneQueueHaveTheSameGroups(t *testing.T) {
	group := func(consumer string) string {
		return (&Rules{Consumer: consumer}).group(monitoring.Outcome{Err: errBoom, Reason: monitoring.ReasonError})
	}
	if a, b, other := group("orders.p03"), group("orders.p15"), group("emails.p03"); a != b || a == other || a == "" {
		t.Errorf("two partitions have the groups %q and %q, one of another queue %q", a, b, other)
	}
}

func TestFailuresOfDifferentKindsHaveDifferentGroups(t *testing.T) {
	seen := map[string]string{}
	for name, group := range map[string]string{
		"one":              fingerprint("orders", errors.New("no such user"), monitoring.ReasonError),
		"another text":     fingerprint("orders", errors.New("no such order"), monitoring.ReasonError),
		"another consumer": fingerprint("emails", errors.New("no such user"), monitoring.ReasonError),
		"another type":     fingerprint("orders", list{"no such user"}, monitoring.ReasonError),
		"no error":         fingerprint("orders", nil, monitoring.ReasonError),
		"no error either":  fingerprint("orders", nil, monitoring.ReasonRetry),
	} {
		if other, ok := seen[group]; ok {
			t.Errorf("%s and %s have the group %s", name, other, group)
		}
		seen[group] = name
	}
}
