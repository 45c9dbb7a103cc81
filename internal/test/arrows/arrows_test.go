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
	{"github.com/redis/go-redis", in("use/redis", "internal/test/redistest")},
	{"github.com/pressly/goose", in("outbox/internal/schema")},
	{"github.com/jackc/pgx", in("outbox/pgx", "cmd/bunnicula/internal/database", "internal/test/pgtest", "internal/test/outbox")},
	{"modernc.org/sqlite", in("cmd/bunnicula/internal/database", "outbox/outboxtest", "internal/test/outbox")}, // and examples
}

func in(dirs ...string) func(string) bool {
	return func(file string) bool { return slices.Contains(dirs, path.Dir(file)) }
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

// under says whether a package is this folder or stands below it.
func under(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// wrong returns what is wrong with one import, or "".
func wrong(s source, imported string) string {
	if ours, ok := strings.CutPrefix(imported, module); ok {
		return wrongArrow(s, ours)
	}
	if s.isTest() || under(s.dir(), examples) || under(s.dir(), benchmark) {
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
	pkg := s.dir()
	switch {
	case under(pkg, workshop), under(pkg, benchmark):
		return ""
	case s.isTest() && (under(imported, workshop) || slices.Contains(kits, imported)):
		return ""
	case under(imported, workshop):
		return fmt.Sprintf("imports %s, which is for tests", imported)
	case under(pkg, examples) && strings.HasPrefix(imported, "internal/"):
		return fmt.Sprintf("imports %s, which no user can import", imported)
	case under(pkg, examples), s.isExternal(), s.isTest() && slices.ContainsFunc(tools, func(tool string) bool { return under(pkg, tool) }):
		return ""
	case !slices.Contains(rows[pkg], imported):
		return fmt.Sprintf("imports %s; the row of %s allows %q", imported, pkg, rows[pkg])
	}
	return ""
}

func TestPackagesImportOnlyWhatTheirRowsList(t *testing.T) {
	said := map[string]bool{}
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			complaint := wrong(s, imported)
			if one := s.dir() + " " + imported; complaint != "" && !said[one] { // each import once
				said[one] = true
				t.Errorf("%s %s", s.file, complaint)
			}
		}
	}
}

func TestTheTableSaysWhatIs(t *testing.T) {
	seen := map[string][]string{}
	for _, s := range sources(t) {
		pkg := s.dir()
		if s.isTest() || under(pkg, workshop) || under(pkg, examples) || under(pkg, benchmark) {
			continue
		}
		seen[pkg] = append(seen[pkg], s.imports...)
		if _, ok := rows[pkg]; !ok {
			t.Errorf("%s: package %s has no row in the table", s.file, pkg)
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(rows)) {
		if _, ok := seen[pkg]; !ok {
			t.Errorf("the table has a row for %s, which has no Go file", pkg)
		}
		for _, imported := range rows[pkg] {
			if !slices.Contains(seen[pkg], module+imported) {
				t.Errorf("the row of %s lists %s, which it does not import", pkg, imported)
			}
		}
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
		{"consumer/consumertest/run.go", "consumertest", module + "internal/test/amqptest", false},
		{"internal/test/faults/worker.go", "faults", module + "connection", true},
		{"internal/simulated/broker.go", "simulated", module + "connection", false},
		{"monitoring/prometheus/watched.go", "prometheus", module + "consumer", false},
		{"examples/import/main.go", "main", module + "consumer", true},
		{"examples/import/main.go", "main", module + "internal/route", false},
		{"examples/import/main_test.go", "main", module + "internal/test/amqptest", true},
		{"examples/import/main.go", "main", "go.uber.org/fx", true},
		{"examples/import/main.go", "main", module + "internal/test/amqptest", false},
		{"consumer/module.go", "consumer", "go.uber.org/fx", true},
		{"consumer/consumer.go", "consumer", "go.uber.org/fx", false},
		{"consumer/consumer.go", "consumer", "go.uber.org/fx/fxevent", false},
		{"consumer/consumer_test.go", "consumer", "go.uber.org/fx", true},
		{"monitoring/statsd/statsd.go", "statsd", "github.com/cactus/go-statsd-client/v5/statsd", true},
		{"consumer/report.go", "consumer", "github.com/cactus/go-statsd-client/v5/statsd", false},
		{"outbox/put.go", "outbox", "github.com/jackc/pgx/v5", false},
		{"outbox/pgx/tx.go", "pgx", "github.com/jackc/pgx/v5", true},
		{"outbox/put.go", "outbox", "modernc.org/sqlite", false},
		{"outbox/migrate.go", "outbox", "github.com/pressly/goose/v3", false},
	}
	for _, test := range tests {
		complaint := wrong(source{file: test.file, pkg: test.pkg}, test.imported)
		if (complaint == "") != test.allowed {
			t.Errorf("%s importing %s: allowed is %v, want %v", test.file, test.imported, complaint == "", test.allowed)
		}
	}
}
