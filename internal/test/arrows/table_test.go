package arrows

// rows says which packages of this module each package imports, tests aside. Nothing else is
// allowed, and what a row lists is imported.
var rows = map[string][]string{
	"monitoring": {},
	"topology":   {},

	"internal/backoff":   {},
	"internal/startup":   {},
	"internal/transport": {},
	"internal/wire":      {},
	"internal/compare":   {"topology", "internal/transport"},
	"internal/conflicts": {"topology"},
	"internal/monitors":  {"monitoring"},
	"internal/route":     {"topology"},
	"internal/link":      {"internal/backoff", "internal/transport"},
	"internal/sending":   {"internal/backoff", "internal/transport", "internal/wire"},

	"connection": {"internal/link", "internal/transport"},
	"publisher": {
		"connection", "topology",
		"internal/sending", "internal/startup", "internal/transport", "internal/wire",
	},
	"consumer": {
		"connection", "topology", "publisher", "monitoring",
		"consumer/internal/acks", "consumer/internal/decide", "consumer/internal/watchdog",
		"internal/backoff", "internal/compare", "internal/conflicts", "internal/monitors", "internal/route", "internal/sending",
		"internal/startup", "internal/transport", "internal/wire",
	},
	"consumer/internal/acks":     {},
	"consumer/internal/watchdog": {},
	"consumer/internal/decide":   {"topology", "monitoring", "internal/route", "internal/wire"},
	"errorqueue": {
		"connection", "topology",
		"errorqueue/internal/archive", "errorqueue/internal/filter",
		"internal/backoff", "internal/compare", "internal/sending", "internal/transport", "internal/wire",
	},
	"errorqueue/internal/archive": {"internal/wire"},
	"errorqueue/internal/filter":  {},
	"health":                      {"connection", "consumer"},

	"monitoring/monitoringtest": {"monitoring"},
	"publisher/publishertest":   {"publisher", "internal/sending"},
	"consumer/consumertest": {
		"consumer", "publisher", "topology", "monitoring", "internal/wire",
	},

	"monitoring/otel":       {"monitoring", "publisher"},
	"monitoring/prometheus": {"monitoring"},
	"monitoring/sentry":     {"monitoring"},
	"monitoring/statsd":     {"monitoring"},

	"topology/topologyfile": {"topology", "internal/conflicts"},

	"cmd/bunnicula/internal/management": {},
	"cmd/bunnicula/internal/inspect": {
		"topology",
		"internal/compare", "internal/route", "internal/transport", "cmd/bunnicula/internal/management",
	},
	"cmd/bunnicula/internal/doctor": {
		"consumer", "topology", "topology/topologyfile",
		"internal/transport", "cmd/bunnicula/internal/inspect", "cmd/bunnicula/internal/management",
	},
	"cmd/bunnicula": {
		"connection", "publisher", "errorqueue", "topology", "topology/topologyfile",
		"internal/sending", "internal/transport",
		"cmd/bunnicula/internal/doctor", "cmd/bunnicula/internal/inspect", "cmd/bunnicula/internal/management",
	},
}

// kits are for users' tests, and so for ours.
var kits = []string{"monitoring/monitoringtest", "publisher/publishertest", "consumer/consumertest"}

// workshop is where the packages stand that only tests use. They have no rows.
const workshop = "internal/test"

// command is the tree whose tests may import what they like: nothing stands above it.
const command = "cmd"

// trees without rows: an example imports what it shows, the benchmark is a module of its own.
const (
	examples  = "examples"
	benchmark = "bench"
)
