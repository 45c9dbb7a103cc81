package arrows

// rows says which packages of this module each package imports, tests aside. Nothing else is allowed,
// and what a row lists is imported. Each package stands below those that it imports.
var rows = map[string][]string{
	"connection": {},
	"topology":   {},
	"monitoring": {},

	"internal/conflicts": {"topology"},
	"internal/monitors":  {"monitoring"},
	"internal/route":     {"topology"},
	"internal/startup":   {},
	"internal/transport": {"connection", "topology"},
	"internal/wire":      {},

	"publisher": {
		"connection", "topology",
		"internal/startup", "internal/transport", "internal/wire",
	},
	"consumer": {
		"connection", "topology", "publisher", "monitoring",
		"internal/conflicts", "internal/monitors", "internal/route", "internal/startup", "internal/transport", "internal/wire",
	},
	"errorqueue": {"connection", "topology", "publisher", "internal/wire"},
	"health":     {"connection", "consumer"},

	"monitoring/monitoringtest": {"monitoring"},
	"publisher/publishertest":   {"publisher"},
	"consumer/consumertest":     {"consumer", "publisher", "topology", "monitoring", "internal/route", "internal/wire"},

	"monitoring/otel":       {"monitoring", "publisher"},
	"monitoring/prometheus": {"monitoring"},
	"monitoring/sentry":     {"monitoring"},
	"monitoring/statsd":     {"monitoring"},

	"topology/topologyfile": {"topology", "internal/conflicts"},

	"cmd/bunnicula/internal/management": {},
	"cmd/bunnicula/internal/inspect":    {"connection", "topology", "internal/route", "cmd/bunnicula/internal/management"},
	"cmd/bunnicula/internal/doctor": {
		"connection", "consumer", "topology", "topology/topologyfile",
		"cmd/bunnicula/internal/inspect", "cmd/bunnicula/internal/management",
	},
	"cmd/bunnicula": {
		"connection", "publisher", "errorqueue", "topology", "topology/topologyfile",
		"cmd/bunnicula/internal/doctor", "cmd/bunnicula/internal/inspect", "cmd/bunnicula/internal/management",
	},
}

// kits are for users' tests, and so for ours.
var kits = []string{"monitoring/monitoringtest", "publisher/publishertest", "consumer/consumertest"}

// workshop is where the packages stand that only tests use. They have no rows.
const workshop = "internal/test"

// trees without rows: an example imports what it shows, the benchmark is a module of its own.
const (
	examples  = "examples"
	benchmark = "bench"
)
