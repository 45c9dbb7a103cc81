package arrows

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../../.."
	module = "github.com/bunnicula-go/bunnicula/"
)

// rows says what of this module a package may import. Packages that nobody has written yet may
// have a row; every package has one.
var rows = map[string][]string{
	"connection": {"internal/link", "internal/transport"},
	"topology":   {},
	"monitoring": {},
	"publisher":  {"connection", "topology", "internal/sending", "internal/startup", "internal/transport", "internal/wire"},
	"consumer":   {"connection", "topology", "publisher", "monitoring", "internal/backoff", "internal/sending", "internal/startup", "internal/transport", "internal/wire"},

	"monitoring/monitoringtest": {"monitoring"},
	"monitoring/statsd":         {"monitoring"},
	"monitoring/sentry":         {"monitoring"},
	"monitoring/health":         {"connection", "consumer", "internal/watch"},
	"monitoring/otel":           {"monitoring", "publisher"},
	"monitoring/prometheus":     {"monitoring", "connection", "consumer", "internal/watch"},

	"topology/topologyfile": {"topology", "consumer"},

	"publisher/publishertest": {"publisher", "internal/sending"},
	"consumer/consumertest":   {"consumer", "publisher", "connection", "topology", "monitoring", "internal/sending", "internal/wire"},

	"errorqueue": {"connection", "topology", "publisher", "internal/backoff", "internal/sending", "internal/transport", "internal/wire"},
	"outbox":     {"connection", "topology", "publisher", "internal/wire"},

	"internal/wire":                     {},
	"internal/startup":                  {},
	"internal/test/histories":           {},
	"internal/watch":                    {"connection", "consumer"},
	"internal/transport":                {},
	"internal/backoff":                  {},
	"internal/link":                     {"internal/backoff", "internal/transport"},
	"internal/sending":                  {"internal/backoff", "internal/transport", "internal/wire"},
	"internal/test/simulated":           {"internal/backoff", "internal/link", "internal/transport"},
	"cmd/bunnicula/internal/inspect":    {"internal/transport", "topology", "topology/topologyfile", "cmd/bunnicula/internal/management"},
	"cmd/bunnicula/internal/doctor":     {"connection", "consumer", "internal/transport", "topology", "topology/topologyfile", "cmd/bunnicula/internal/inspect", "cmd/bunnicula/internal/management"},
	"cmd/bunnicula/internal/management": {},
	"internal/test/mutants":             {},
	"internal/test/amqptest":            {},
	"internal/test/arrows":              {},
	"internal/test/faults":              {},
}

// exempt trees show or use the whole: they may import what they like, but for internal/test/amqptest.
var exempt = []string{"cmd", "examples", "docs", "bench"}

// fenced libraries stay where they are, so that they are in nobody's build by accident.
var fenced = []struct {
	library string
	home    func(file string) bool
}{
	{"go.uber.org/fx", func(file string) bool { return path.Base(file) == "module.go" }},
	{"go.uber.org/goleak", func(file string) bool { return false }},
	{"github.com/cactus/go-statsd-client", in("monitoring/statsd")},
	{"github.com/getsentry/sentry-go", in("monitoring/sentry")},
	{"go.opentelemetry.io/otel", in("monitoring/otel")},
	{"github.com/prometheus", in("monitoring/prometheus")},
}

func in(dir string) func(string) bool {
	return func(file string) bool { return path.Dir(file) == dir }
}

// source is a Go file, as far as arrows go.
type source struct {
	file    string // relative to the module's root, with slashes
	pkg     string // the package clause
	imports []string
}

func (s source) dir() string      { return path.Dir(s.file) }
func (s source) isTest() bool     { return strings.HasSuffix(s.file, "_test.go") }
func (s source) isExternal() bool { return s.isTest() && strings.HasSuffix(s.pkg, "_test") }

func (s source) isExempt() bool {
	return slices.ContainsFunc(exempt, func(tree string) bool {
		return s.dir() == tree || strings.HasPrefix(s.dir(), tree+"/")
	})
}

// wrong returns what is wrong with one import, or "".
func wrong(s source, imported string) string {
	if ours, ok := strings.CutPrefix(imported, module); ok {
		return wrongArrow(s, ours)
	}
	if s.isTest() || s.isExempt() {
		return ""
	}
	for _, f := range fenced {
		if (imported == f.library || strings.HasPrefix(imported, f.library+"/")) && !f.home(s.file) {
			return fmt.Sprintf("imports %s, which is not for this file", imported)
		}
	}
	return ""
}

func wrongArrow(s source, imported string) string {
	isTestHelper := s.isTest() || strings.HasSuffix(s.dir(), "test")
	switch {
	case imported == "internal/test/amqptest":
		if !isTestHelper {
			return "imports internal/test/amqptest, which is for tests"
		}
		return ""
	case s.isExternal(), s.isExempt():
		return ""
	case s.isTest() && strings.HasSuffix(imported, "test"):
		return ""
	case !slices.Contains(rows[s.dir()], imported):
		return fmt.Sprintf("imports %s; %s may import %q of this module", imported, s.dir(), rows[s.dir()])
	}
	return ""
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		seen[s.dir()] = true
		for _, imported := range s.imports {
			if complaint := wrong(s, imported); complaint != "" {
				t.Errorf("%s %s", s.file, complaint)
			}
		}
		if _, ok := rows[s.dir()]; !ok && !s.isTest() && !s.isExempt() {
			t.Errorf("%s: package %s has no row in the table", s.file, s.dir())
		}
	}
	if !seen["internal/test/arrows"] {
		t.Fatalf("read the wrong directory: %v", slices.Sorted(maps.Keys(seen)))
	}
}

// sources reads every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(base) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s := source{file: filepath.ToSlash(relative), pkg: parsed.Name.Name}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheRulesThemselves(t *testing.T) {
	tests := []struct {
		file, pkg, imported string
		allowed             bool
	}{
		{"consumer/settle.go", "consumer", module + "publisher", true},
		{"publisher/publisher.go", "publisher", module + "consumer", false},
		{"topology/names.go", "topology", module + "connection", false},
		{"topology/names_test.go", "topology", module + "connection", false},
		{"topology/names_test.go", "topology_test", module + "connection", true},
		{"monitoring/log_test.go", "monitoring", module + "monitoring/monitoringtest", true},
		{"connection/dial.go", "connection", module + "internal/test/amqptest", false},
		{"connection/dial_test.go", "connection", module + "internal/test/amqptest", true},
		{"consumer/consumertest/run.go", "consumertest", module + "internal/test/amqptest", true},
		{"examples/import/main.go", "main", module + "consumer", true},
		{"examples/import/main.go", "main", "go.uber.org/fx", true},
		{"examples/import/main.go", "main", module + "internal/test/amqptest", false},
		{"consumer/module.go", "consumer", "go.uber.org/fx", true},
		{"consumer/consumer.go", "consumer", "go.uber.org/fx", false},
		{"consumer/consumer.go", "consumer", "go.uber.org/fx/fxevent", false},
		{"consumer/consumer_test.go", "consumer", "go.uber.org/fx", true},
		{"monitoring/statsd/statsd.go", "statsd", "github.com/cactus/go-statsd-client/v5/statsd", true},
		{"consumer/report.go", "consumer", "github.com/cactus/go-statsd-client/v5/statsd", false},
	}
	for _, test := range tests {
		complaint := wrong(source{file: test.file, pkg: test.pkg}, test.imported)
		if (complaint == "") != test.allowed {
			t.Errorf("%s importing %s: allowed is %v, want %v", test.file, test.imported, complaint == "", test.allowed)
		}
	}
}
