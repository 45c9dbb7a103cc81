package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// inParts returns healthy facts of three partitions, and one change of the second.
func inParts(t *testing.T, change func(*inspect.Partition)) Facts {
	t.Helper()
	f := healthy(t)
	family := inspect.Partitions{Queue: "bank", N: 3}
	for i := range 4 {
		name := topology.PartitionQueue("bank", i)
		p := inspect.Partition{Number: i, Queue: name, State: inspect.Present, Ready: n(0), Consumers: n(1)}
		if i == 1 {
			change(&p)
		}
		if i == 3 {
			continue
		}
		topo, err := topology.New(topology.Plan{Queue: name, ErrorQueue: "bank-error", SingleActive: true})
		if err != nil {
			t.Fatal(err)
		}
		f.Consumers = append(f.Consumers, Consumer{Consumer: topologyfile.Consumer{Plan: topology.Plan{Queue: name, ErrorQueue: "bank-error", SingleActive: true}, Topology: topo}})
		f.Counts[name] = inspect.QueueStatus{Queue: name, Role: topology.RoleMain, State: p.State, Ready: p.Ready, Consumers: p.Consumers}
		family.All = append(family.All, p)
	}
	f.Partitions = []inspect.Partitions{family}
	return f
}

// checks returns severity and check of the findings about partitions and orders.
func checks(f Facts) []string {
	var all []string
	for _, x := range Diagnose(f) {
		if strings.HasPrefix(x.Check, "partition-") || strings.HasPrefix(x.Check, "control-") || x.Check == "not-consumed" || x.Check == "missing" {
			all = append(all, string(x.Severity)+" "+x.Check+" "+x.Subject)
		}
	}
	return all
}

func TestEachTroubleOfAPartitionIsAFinding(t *testing.T) {
	for want, change := range map[string]func(*inspect.Partition){
		"": func(*inspect.Partition) {},
		"serious partition-missing queue bank.p01": func(p *inspect.Partition) { p.State, p.Trouble = inspect.Absent, inspect.PartitionMissing },
		"warning partition-nobody queue bank.p01":  func(p *inspect.Partition) { p.Consumers, p.Trouble = n(0), inspect.PartitionNobody },
		"serious partition-nobody queue bank.p01": func(p *inspect.Partition) {
			p.Ready, p.Consumers, p.Trouble = n(2), n(0), inspect.PartitionNobody
		},
		"serious partition-idle queue bank.p01": func(p *inspect.Partition) {
			p.Ready, p.Subscribed, p.Trouble = n(2), n(3), inspect.PartitionIdle
		},
		"serious partition-gone queue bank.p01": func(p *inspect.Partition) {
			p.Gone, p.Trouble = &inspect.Gone{Tag: "a"}, inspect.PartitionGone
		},
		"note partition-left queue bank.p01":      func(p *inspect.Partition) { p.Trouble = inspect.PartitionLeft },
		"serious partition-left queue bank.p01":   func(p *inspect.Partition) { p.Retrying, p.Trouble = n(1), inspect.PartitionLeft },
		"serious partition-shared queue bank.p01": func(p *inspect.Partition) { p.Trouble = inspect.PartitionShared },
	} {
		if got := strings.Join(checks(inParts(t, change)), "; "); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	}
}

func TestPartitionsWithDifferentErrorQueuesAreFound(t *testing.T) {
	f := inParts(t, func(*inspect.Partition) {})
	topo, err := topology.New(topology.Plan{Queue: "bank.p01", SingleActive: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Consumers[2].Topology = topo
	if got := checks(f); !slices.Equal(got, []string{"warning partition-errors queue bank"}) {
		t.Errorf("by the file: %q", got)
	}
	f = inParts(t, func(*inspect.Partition) {})
	for i, to := range []string{"bank-error", "bank-error", "other"} {
		name := topology.PartitionQueue("bank", i)
		f.Known.Queues[name] = management.Queue{Name: name, Type: "quorum", Arguments: management.Values{"x-dead-letter-routing-key": to}}
	}
	if got := checks(f); !slices.Contains(got, "warning partition-errors queue bank") {
		t.Errorf("by the API: %q", got)
	}
}

func TestAPauseThatStandsExplainsAQueueThatWaits(t *testing.T) {
	f := inParts(t, func(p *inspect.Partition) { p.Ready, p.Consumers, p.Trouble = n(2), n(0), inspect.PartitionNobody })
	count(f, "orders", 7, 0)
	if got := checks(f); !slices.Contains(got, "serious not-consumed queue orders") || !slices.Contains(got, "serious partition-nobody queue bank.p01") {
		t.Fatalf("without an order: %q", got)
	}
	until := time.Date(2026, 11, 30, 16, 20, 0, 0, time.UTC)
	f.Control = &Control{Stream: "bunnicula-control", Orders: []control.Order{
		{ID: "a", Consumer: "billing", Paused: true, Until: until, By: "alice@ops", Why: "migrating"},
		{ID: "b", Consumer: "bank", Paused: true, Until: until, By: "bob"},
		{ID: "c", Consumer: "mails", Limit: 2, Until: until, By: "bob"},
	}, Processes: []control.Process{{Host: "web-1", PID: 7, Trouble: "no read", Consumers: []control.Member{{Name: "billing", Queue: "orders"}}}}}
	want := []string{
		"warning control-paused consumer billing", "warning control-paused consumer bank", "warning control-deaf process 7 on web-1", "note control-limited consumer mails",
	}
	if got := checks(f); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	for _, x := range Diagnose(f) {
		if x.Subject == "consumer billing" && (x.Problem != "billing is paused by alice@ops until 2026-11-30T16:20:00Z: migrating" || !strings.HasPrefix(x.Why, "7 messages")) {
			t.Errorf("%+v", x)
		}
	}
	f.Control.Orders = f.Control.Orders[2:] // a limit explains nothing
	if got := checks(f); !slices.Contains(got, "serious not-consumed queue orders") {
		t.Errorf("with a limit: %q", got)
	}
}

func TestAStreamOfOrdersThatIsMissingOrUnreadableIsFound(t *testing.T) {
	f := healthy(t)
	f.Control = &Control{Stream: "bunnicula-control", Missing: true}
	if got := checks(f); !slices.Equal(got, []string{"note control-missing stream bunnicula-control"}) {
		t.Errorf("missing: %q", got)
	}
	f.Control = &Control{Stream: "bunnicula-control", Err: errors.New("403")}
	if got := checks(f); !slices.Equal(got, []string{"warning control-unreadable stream bunnicula-control"}) {
		t.Errorf("unreadable: %q", got)
	}
}
