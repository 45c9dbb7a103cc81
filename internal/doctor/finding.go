package doctor

import (
	"cmp"
	"slices"

	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
)

// Finding is a problem, or a possible one.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`   // the name of the check, which is constant
	Subject  string   `json:"subject"` // such as "queue orders"
	Problem  string   `json:"problem"`
	Why      string   `json:"why"` // why it matters
	Do       string   `json:"do"`
	See      string   `json:"see"` // a page of documentation
}

// Severity says how urgent a finding is.
type Severity string

// The severities.
const (
	Serious Severity = "serious" // messages are lost or delayed, or a consumer cannot start
	Warning Severity = "warning" // that can happen, or a person should look
	Note    Severity = "note"    // useful to know
)

// Worst says whether there is a serious finding.
func Worst(findings []Finding) Severity {
	worst := Note
	for _, f := range findings {
		if rank[f.Severity] < rank[worst] {
			worst = f.Severity
		}
	}
	return worst
}

var rank = map[Severity]int{Serious: 0, Warning: 1, Note: 2}

// Diagnose derives findings from the facts, the most serious first.
func Diagnose(f Facts) []Finding {
	return diagnose(f, version, encryption, nodes, rights, differences, presence, use, contents, waiting, unlooked, traps, replicas, settings, partitions, orders, outboxes)
}

// DiagnoseOutbox is Diagnose where no broker answers: what it lacks for the rows is not known.
func DiagnoseOutbox(f outboxlook.Facts) []Finding {
	return diagnose(Facts{Outbox: &Outbox{Facts: f}}, outboxes)
}

func diagnose(f Facts, checks ...func(Facts) []Finding) []Finding {
	findings := []Finding{}
	for _, check := range checks {
		findings = append(findings, check(f)...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
	return findings
}

// The pages to which findings refer.
const (
	pageAccess     = "https://www.rabbitmq.com/docs/access-control#authorisation"
	pageAlarms     = "https://www.rabbitmq.com/docs/alarms"
	pageAtLeast    = effective.PageAtLeast
	pageHeartbeats = "https://www.rabbitmq.com/docs/heartbeats"
	pageLength     = effective.PageLength
	pageLimit      = effective.PageLimit
	pagePartitions = "https://www.rabbitmq.com/docs/partitions"
	pageReleases   = "https://www.rabbitmq.com/release-information"
	pageReplicas   = "https://www.rabbitmq.com/docs/quorum-queues#replication-factor"
	pageTimeout    = "https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout"
	pageTLS        = "https://www.rabbitmq.com/docs/ssl"
	pageTTL        = effective.PageTTL
	pageOperations = "docs/OPERATIONS.md"
	pageLate       = "docs/OPERATIONS.md#retries-come-late"
	pageSecurity   = "docs/SECURITY.md"
	pageOutbox     = "docs/COMMAND.md#outbox"
)
