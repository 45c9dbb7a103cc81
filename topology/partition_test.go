package topology_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/golden"
	"github.com/bunnicula-go/bunnicula/topology"
)

// vector is one of docs/wire/keys/partitions.json, which programs in other languages read.
type vector struct {
	Queue string `json:"queue"`
	Key   string `json:"key"`
	Of    int    `json:"partitions"`
	Goes  string `json:"goes_to"`
}

func TestKeysGoWhereOtherLanguagesExpectThem(t *testing.T) {
	const file = "../docs/wire/keys/partitions.json"
	if golden.Updating() {
		var all []vector
		for _, key := range []string{"a", "customer-1", "customer-2", "4711", "Žluťoučký kůň", "日本", "a key with spaces", strings.Repeat("long", 100), "\x00"} {
			for _, n := range []int{1, 8, 16, 100, 1024} {
				goes, err := topology.Partition("orders", key, n)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, vector{"orders", key, n, goes})
			}
		}
		text, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 20 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	for _, v := range all {
		if got, err := topology.Partition(v.Queue, v.Key, v.Of); err != nil || got != v.Goes {
			t.Errorf("%q of %d goes to %q (%v), want %q", v.Key, v.Of, got, err, v.Goes)
		}
	}
	// CRC-32 (IEEE) of "123456789" is 0xcbf43926, by every catalogue of CRCs.
	if got, _ := topology.Partition("q", "123456789", 1000); got != fmt.Sprintf("q.p%02d", 0xcbf43926%1000) {
		t.Errorf("the check value goes to %q", got)
	}
}

func TestPartitionsGetAboutTheSameWhateverKeysLookLike(t *testing.T) {
	for name, key := range map[string]func(i int) string{
		"numbers": func(i int) string { return fmt.Sprint(i) },
		"padded":  func(i int) string { return fmt.Sprintf("%010d", i) },
		"prefix":  func(i int) string { return fmt.Sprint("customer-", i) },
		"uuid":    func(i int) string { return fmt.Sprintf("%08x-0000-7000-8000-%012x", i*2654435761, i) },
		"address": func(i int) string { return fmt.Sprintf("user%d@example.com", i) },
	} {
		for _, n := range []int{4, 8, 16} {
			const keys = 20_000
			counts := make([]int, n)
			for i := range keys {
				queue, err := topology.Partition("q", key(i), n)
				if err != nil {
					t.Fatal(err)
				}
				_, p, _ := topology.PartitionOf(queue)
				counts[p]++
			}
			if busiest := float64(slices.Max(counts)) * float64(n) / keys; busiest > 1.10 {
				t.Errorf("%s over %d: the busiest has %.3f of its share", name, n, busiest)
			}
		}
	}
}

func TestAPartitionsNameIsReadAsItIsWritten(t *testing.T) {
	for _, i := range []int{0, 7, 99, 100, 1023} {
		if queue, got, ok := topology.PartitionOf(topology.PartitionQueue("a.p01", i)); !ok || queue != "a.p01" || got != i {
			t.Errorf("%d: %q %d %t", i, queue, got, ok)
		}
	}
	for _, name := range []string{"", "orders", "orders.p", "orders.p7", "orders.p007", "orders.p1024", "orders.p-1", "orders.p+1", ".p00", "orders.p00-error", "orders.pXX"} {
		if queue, i, ok := topology.PartitionOf(name); ok {
			t.Errorf("%q is taken for partition %d of %q", name, i, queue)
		}
	}
}

func TestPartitionRefusesBadInput(t *testing.T) {
	for want, c := range map[string]struct {
		queue, key string
		n          int
	}{
		`queue "orders": the key of a message for its partitions is empty`: {"orders", "", 4},
		`queue "orders": 0 partitions, want 1 to 1024`:                     {"orders", "k", 0},
		`queue "orders": 1025 partitions, want 1 to 1024`:                  {"orders", "k", 1025},
		`queue "": the name is empty`:                                      {"", "k", 4},
		"a partition has 257 bytes, the longest allowed has 255":           {strings.Repeat("q", 253), "k", 4},
		"the broker's": {"amq.q", "k", 4},
	} {
		if _, err := topology.Partition(c.queue, c.key, c.n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
