package use_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/storetest"
	"github.com/bunnicula-go/bunnicula/use"
)

func mustMemory(t testing.TB, size int) *use.Memory {
	t.Helper()
	m, err := use.NewMemory(size)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMemoryIsAStore(t *testing.T) {
	storetest.Check(t, time.Second, func(t *testing.T) use.Store { return mustMemory(t, 20) },
		func(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) })
}

func TestAMemoryNeedsASize(t *testing.T) {
	for _, size := range []int{0, -3} {
		if _, err := use.NewMemory(size); err == nil || err.Error() != fmt.Sprintf("use: the size of a Memory is %d, want 1 or more", size) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestAFullMemoryForgetsTheMarkThatEndsFirstAndCountsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mustMemory(t, 3)
		for i, keep := range []time.Duration{time.Hour, time.Minute, time.Hour, time.Hour} {
			key := fmt.Sprint("m", i)
			claim(t, m, key, use.ClaimNew)
			settle(t, m, key, keep)
			time.Sleep(time.Second)
		}
		if n := m.Forgotten(); n != 1 {
			t.Errorf("%d marks are forgotten, want 1", n)
		}
		claim(t, m, "m0", use.ClaimDone)
		claim(t, m, "m2", use.ClaimDone)
		claim(t, m, "m3", use.ClaimDone)
		claim(t, m, "m1", use.ClaimNew) // m0 has to go, which is the oldest
		claim(t, m, "m2", use.ClaimDone)
		claim(t, m, "m3", use.ClaimDone)
		if n := m.Forgotten(); n != 2 {
			t.Errorf("%d marks are forgotten, want 2", n)
		}
	})
}

func TestAMemoryNeverForgetsAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mustMemory(t, 2)
		claim(t, m, "a", use.ClaimNew)
		claim(t, m, "b", use.ClaimNew)
		const want = "use: a Memory for 2 ids is full of messages that are being handled"
		if c, err := m.Claim(t.Context(), "c", "other", time.Minute); err == nil || err.Error() != want || c != (use.Claim{}) {
			t.Errorf("the answer is %+v, %v", c, err)
		}
		if err := m.Settle(t.Context(), "c", "other", true, time.Hour); err == nil || err.Error() != want { // its lease had ended
			t.Errorf("the error is %v", err)
		}
		if c, err := m.Claim(t.Context(), "a", "other", time.Minute); err != nil || c.State != use.ClaimBusy {
			t.Errorf("the answer is %+v, %v", c, err)
		}
		settle(t, m, "b", time.Hour)
		claim(t, m, "c", use.ClaimNew)
		claim(t, m, "c", use.ClaimNew)
		time.Sleep(time.Minute)
		claim(t, m, "d", use.ClaimNew) // the leases have ended, and are forgotten
		claim(t, m, "e", use.ClaimNew)
		if n := m.Forgotten(); n != 1 {
			t.Errorf("%d marks are forgotten, want that of b", n)
		}
	})
}

// A scan at each call would take minutes.
func TestAMemoryThatIsFullIsAsFastAsAnEmptyOne(t *testing.T) {
	const size, more = 20_000, 20_000
	m := mustMemory(t, size)
	id := strings.Repeat("0", 31)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	for i := range size + more {
		key := fmt.Sprintf("orders:%s%05d", id, i)
		claim(t, m, key, use.ClaimNew)
		settle(t, m, key, time.Hour)
	}
	took := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if m.Forgotten() != more {
		t.Errorf("%d marks are forgotten, want %d", m.Forgotten(), more)
	}
	each := int64(after.HeapAlloc-before.HeapAlloc) / size
	t.Logf("%s for each message; %d bytes for each mark", took/(size+more), each)
	if each > 400 {
		t.Errorf("a mark takes %d bytes, want at most 400", each)
	}
	if took > 10*time.Second {
		t.Errorf("%d messages took %s", size+more, took)
	}
	runtime.KeepAlive(m)
}

// claim claims a key for a minute, with the key as the token.
func claim(t testing.TB, m *use.Memory, key string, want use.ClaimState) {
	t.Helper()
	if c, err := m.Claim(t.Context(), key, key, time.Minute); err != nil || c.State != want {
		t.Fatalf("the claim of %s is %+v, %v, want state %d", key, c, err, want)
	}
}

func settle(t testing.TB, m *use.Memory, key string, keep time.Duration) {
	t.Helper()
	if err := m.Settle(t.Context(), key, key, true, keep); err != nil {
		t.Fatal(err)
	}
}
