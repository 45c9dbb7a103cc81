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
	"internal/inflate":             {"internal/foreign"},
	"internal/compare":             {"internal/transport", "topology"},
	"internal/slots":               {},
	"internal/startup":             {},
	"internal/effective":           {"topology"},
	"internal/management":          {"internal/effective", "internal/foreign"},
	"internal/transport":           {"internal/backoff", "internal/effective", "internal/foreign"},
	"internal/typed":               {"internal/foreign"},
	"internal/wire":                {"internal/foreign"},
	"internal/conflicts":           {"topology"},
	"internal/monitors":            {"monitoring"},
	"internal/route":               {"topology"},
	"internal/link": {
		"internal/backoff", "internal/effective", "internal/management", "internal/transport",
		"internal/foreign", "internal/wire",
	},
	"internal/simulated": {"internal/backoff", "internal/effective", "internal/link", "internal/transport", "internal/wire"},
	"internal/fifo":      {},
	"internal/jobtree":   {},
	"internal/journal":   {"internal/applog", "internal/backoff", "internal/foreign", "internal/sending", "internal/transport"},
	"internal/sending":   {"topology", "internal/route", "internal/backoff", "internal/transport", "internal/wire", "internal/foreign", "internal/fifo", "internal/applog"},

	"connection": {"internal/link", "internal/management", "internal/transport", "internal/applog"},
	"publisher": {
		"connection", "topology", "internal/sending", "internal/startup", "internal/transport",
		"internal/foreign",
	},
	"codec": {"publisher", "internal/inflate", "internal/foreign"},
	"consumer": {
		"connection", "topology", "publisher", "monitoring", "internal/inflate", "consumer/internal/acks",
		"consumer/internal/decide", "consumer/internal/watchdog", "internal/backoff", "internal/conflicts",
		"internal/effective", "internal/monitors", "internal/route", "internal/sending", "internal/startup",
		"internal/transport", "internal/wire", "internal/foreign", "internal/compare", "internal/fifo", "internal/applog",
	},
	"consumer/internal/acks":     {},
	"consumer/internal/watchdog": {},
	"consumer/internal/decide": {
		"topology", "monitoring", "internal/route", "internal/wire", "internal/foreign",
	},
	"errorqueue": {
		"connection", "topology", "errorqueue/internal/archive", "errorqueue/internal/filter",
		"internal/backoff", "internal/effective", "internal/route", "internal/sending", "internal/transport", "internal/wire",
		"internal/foreign", "internal/inflate", "internal/compare", "internal/applog", "internal/typed",
	},
	"errorqueue/internal/archive": {"internal/wire", "internal/inflate", "internal/typed"},
	"errorqueue/internal/filter":  {"internal/foreign", "internal/inflate"},
	"console/internal/audit":      {"console/internal/lines", "internal/applog"},
	"console/internal/lines":      {},
	"console/internal/operation":  {"console/internal/lines", "errorqueue", "internal/applog"},
	"console/internal/snapshot":   {"connection", "errorqueue", "internal/applog", "internal/foreign", "internal/typed"},
	"health":                      {"connection", "consumer", "internal/foreign", "internal/applog"},

	"monitoring/monitoringtest": {"monitoring", "internal/foreign", "internal/foreign/foreigntest"},
	"publisher/publishertest":   {"publisher", "internal/sending"},
	"consumer/consumertest": {
		"consumer", "publisher", "topology", "monitoring", "internal/wire", "internal/foreign",
	},

	"brokertest": {"connection", "publisher", "topology", "errorqueue", "internal/simulated", "internal/transport"},

	"monitoring/otel":       {"monitoring", "publisher", "internal/foreign"},
	"monitoring/prometheus": {"monitoring", "internal/foreign", "internal/applog"},
	"monitoring/sentry":     {"monitoring", "internal/foreign", "internal/applog"},
	"monitoring/statsd":     {"monitoring"},

	"topology/topologyfile": {"topology", "internal/conflicts"},

	"control": {
		"connection", "consumer", "publisher", "topology", "monitoring", "health", "internal/applog", "internal/backoff", "internal/foreign",
		"internal/journal", "internal/monitors", "internal/transport",
	},

	"pipeline": {
		"connection", "consumer", "errorqueue", "publisher", "topology", "internal/applog", "internal/backoff", "internal/foreign", "internal/jobtree",
		"internal/journal", "internal/sending",
	},

	"outbox": {
		"connection", "publisher", "consumer", "monitoring", "health", "internal/applog", "internal/backoff", "internal/foreign", "internal/inflate", "internal/monitors",
		"internal/slots", "internal/sending", "internal/typed", "internal/wire", "outbox/internal/schema", "outbox/internal/tx",
	},
	"outbox/pgx":             {"consumer", "outbox", "outbox/internal/tx", "publisher"},
	"outbox/internal/schema": {},
	"outbox/internal/tx":     {},
	"outbox/outboxtest": {
		"outbox", "publisher", "publisher/publishertest", "consumer/consumertest", "monitoring", "internal/foreign",
	},

	"use":       {"consumer", "publisher", "internal/applog", "internal/backoff", "internal/foreign", "internal/slots"},
	"use/redis": {"use"},

	"internal/inspect": {
		"topology", "internal/route", "internal/transport", "internal/management", "internal/compare",
	},
	"cmd/bunnicula/internal/database": {"outbox"},
	"internal/outboxlook":             {"outbox"},
	"internal/doctor": {
		"consumer", "control", "outbox", "topology", "topology/topologyfile", "internal/effective", "internal/foreign", "internal/transport",
		"internal/outboxlook", "internal/inspect", "internal/management",
	},
	"console": {
		"connection", "consumer", "control", "errorqueue", "monitoring", "topology", "topology/topologyfile", "console/internal/audit",
		"console/internal/operation", "console/internal/snapshot",
		"internal/applog", "internal/doctor", "internal/effective", "internal/foreign", "internal/inspect", "internal/management", "internal/monitors",
		"internal/transport", "internal/typed",
	},
	"cmd/bunnicula": {
		"console", "connection", "publisher", "errorqueue", "control", "monitoring", "outbox", "pipeline", "topology", "topology/topologyfile", "internal/sending",
		"internal/transport", "cmd/bunnicula/internal/database", "internal/doctor", "internal/inspect", "internal/outboxlook",
		"internal/effective", "internal/management", "internal/foreign", "internal/inflate",
	},
}

// kits are for users' tests, and so for ours. foreigntest is for one of them and for ours.
var kits = []string{"brokertest", "monitoring/monitoringtest", "publisher/publishertest", "consumer/consumertest", "outbox/outboxtest", "internal/foreign/foreigntest"}

// workshop is where the packages stand that only tests use. They have no rows.
const workshop = "internal/test"

// command is the tree whose tests may import what they like: nothing stands above it.
const command = "cmd"

// tools are what looks at brokers and databases from outside. Their tests make what is looked at.
var tools = []string{command, "internal/inspect", "internal/doctor", "internal/outboxlook"}

// trees without rows: an example imports what it shows, the benchmark is a module of its own.
const (
	examples  = "examples"
	benchmark = "bench"
)
