package arrows

// rows says which packages of this module each package imports, tests aside. Nothing else is
// allowed, and what a row lists is imported.
var rows = map[string][]string{
	"monitoring": {"internal/applog", "internal/foreign"},
	"topology":   {},

	"internal/applog":              {},
	"internal/backoff":             {},
	"internal/foreign":             {},
	"internal/foreign/foreigntest": {},
	"internal/compare":             {"internal/transport", "topology"},
	"internal/startup":             {},
	"internal/effective":           {"topology"},
	"internal/management":          {"internal/effective", "internal/foreign"},
	"internal/transport":           {"internal/effective", "internal/foreign"},
	"internal/wire":                {"internal/foreign"},
	"internal/conflicts":           {"topology"},
	"internal/monitors":            {"monitoring"},
	"internal/route":               {"topology"},
	"internal/link": {
		"internal/backoff", "internal/effective", "internal/management", "internal/transport",
		"internal/foreign",
	},
	"internal/sending": {"internal/backoff", "internal/transport", "internal/wire", "internal/foreign", "internal/applog"},

	"connection": {"internal/link", "internal/management", "internal/transport", "internal/applog"},
	"publisher": {
		"connection", "topology", "internal/sending", "internal/startup", "internal/transport",
		"internal/foreign",
	},
	"consumer": {
		"connection", "topology", "publisher", "monitoring", "consumer/internal/acks",
		"consumer/internal/decide", "consumer/internal/watchdog", "internal/backoff", "internal/conflicts",
		"internal/effective", "internal/monitors", "internal/route", "internal/sending", "internal/startup",
		"internal/transport", "internal/wire", "internal/foreign", "internal/compare", "internal/applog",
	},
	"consumer/internal/acks":     {},
	"consumer/internal/watchdog": {},
	"consumer/internal/decide": {
		"topology", "monitoring", "internal/route", "internal/wire", "internal/foreign",
	},
	"errorqueue": {
		"connection", "topology", "errorqueue/internal/archive", "errorqueue/internal/filter",
		"internal/backoff", "internal/effective", "internal/route", "internal/sending", "internal/transport", "internal/wire",
		"internal/foreign", "internal/compare", "internal/applog",
	},
	"errorqueue/internal/archive": {"internal/wire", "internal/foreign"},
	"errorqueue/internal/filter":  {"internal/foreign"},
	"health":                      {"connection", "consumer", "internal/foreign", "internal/applog"},

	"monitoring/monitoringtest": {"monitoring", "internal/foreign", "internal/foreign/foreigntest"},
	"publisher/publishertest":   {"publisher", "internal/sending"},
	"consumer/consumertest": {
		"consumer", "publisher", "topology", "monitoring", "internal/wire", "internal/foreign",
	},

	"monitoring/otel":       {"monitoring", "publisher", "internal/foreign"},
	"monitoring/prometheus": {"monitoring", "internal/foreign", "internal/applog"},
	"monitoring/sentry":     {"monitoring", "internal/foreign", "internal/applog"},
	"monitoring/statsd":     {"monitoring"},

	"topology/topologyfile": {"topology", "internal/conflicts"},

	"cmd/bunnicula/internal/inspect": {
		"topology", "internal/route", "internal/transport", "internal/management", "internal/compare",
	},
	"cmd/bunnicula/internal/doctor": {
		"consumer", "topology", "topology/topologyfile",
		"internal/effective", "internal/transport", "cmd/bunnicula/internal/inspect", "internal/management",
	},
	"cmd/bunnicula": {
		"connection", "publisher", "errorqueue", "topology", "topology/topologyfile", "internal/sending",
		"internal/transport", "cmd/bunnicula/internal/doctor", "cmd/bunnicula/internal/inspect",
		"internal/management", "internal/foreign",
	},
}

// kits are for users' tests, and so for ours. foreigntest is for one of them and for ours.
var kits = []string{"monitoring/monitoringtest", "publisher/publishertest", "consumer/consumertest", "internal/foreign/foreigntest"}

// workshop is where the packages stand that only tests use. They have no rows.
const workshop = "internal/test"

// command is the tree whose tests may import what they like: nothing stands above it.
const command = "cmd"

// trees without rows: an example imports what it shows, the benchmark is a module of its own.
const (
	examples  = "examples"
	benchmark = "bench"
)
