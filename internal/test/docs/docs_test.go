// Package docs checks that the documents' statements about the code are still true.
package docs

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	for _, folder := range []string{"docs", "docs/wire"} {
		more, err := filepath.Glob(filepath.Join(root, folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range more {
			all = append(all, filepath.Join(folder, filepath.Base(path)))
		}
	}
	return all
}

// A snippet with "from FILE" above it is an exact part of that file, so it compiles and runs.
func TestSnippetsAreTakenFromTheExamples(t *testing.T) {
	snippet := regexp.MustCompile("(?s)<!-- from (\\S+) -->\n```[a-z]+\n(.*?)```")
	found := 0
	for _, page := range pages(t) {
		for _, m := range snippet.FindAllStringSubmatch(read(t, page), -1) {
			found++
			if !strings.Contains(read(t, m[1]), m[2]) {
				t.Errorf("%s: this is not in %s:\n%s", page, m[1], m[2])
			}
		}
	}
	if found < 9 {
		t.Errorf("found %d snippets, want those of the quick start and of the other languages at least", found)
	}
}

// What package consumer's documentation begins with is made of whole parts of an example.
func TestThePackagesDocumentationBeginsWithAnExample(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "doc.go", read(t, "consumer/doc.go"), parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	var doc comment.Parser
	blocks := doc.Parse(parsed.Doc.Text()).Content
	code, ok := blocks[1].(*comment.Code)
	if !ok {
		t.Fatalf("behind the first paragraph is a %T, want code", blocks[1])
	}
	example := read(t, "consumer/example_app_test.go")
	for part := range strings.SplitSeq(strings.TrimSpace(code.Text), "\n\n") {
		inside := "\t" + strings.ReplaceAll(part, "\n", "\n\t") // of the example's function
		if !strings.Contains(example, "\n"+part+"\n") && !strings.Contains(example, "\n"+inside+"\n") {
			t.Errorf("this is not in consumer/example_app_test.go:\n%s", part)
		}
	}
}

func TestLinksLeadToFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

// The contract with other languages has a row for each header that the framework writes. It has no
// other.
func TestTheWireContractHasEachHeader(t *testing.T) {
	name := regexp.MustCompile(`Prefix \+ "([a-z-]+)"|= "(retry-attempts)"`)
	written := map[string]bool{}
	for _, m := range name.FindAllStringSubmatch(read(t, "internal/wire/names.go"), -1) {
		if m[1] != "" {
			written["bunnicula-"+m[1]] = true
		} else {
			written[m[2]] = true
		}
	}
	if len(written) < 20 {
		t.Fatalf("found %d headers", len(written))
	}
	row := regexp.MustCompile("(?m)^\\| `(retry-attempts|bunnicula-[a-z-]+)` \\|")
	for _, m := range row.FindAllStringSubmatch(read(t, "docs/wire/README.md"), -1) {
		if !written[m[1]] {
			t.Errorf("docs/wire/README.md has %s, which is no header of ours, or twice", m[1])
		}
		delete(written, m[1])
	}
	for name := range written {
		t.Errorf("docs/wire/README.md has no row for %s", name)
	}
}

// The file map of docs/DESIGN.md names each source file of the framework's packages, and no other.
func TestTheFileMapIsComplete(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "docs/DESIGN.md"), "## Files")
	block := strings.Split(rest, "```")[1]
	line := regexp.MustCompile(`(?m)^(connection|topology|publisher|consumer|errorqueue|monitoring|outbox)/ +(.*)$`)
	rows := line.FindAllStringSubmatch(block, -1)
	if len(rows) != 7 {
		t.Fatalf("the map has %d packages, want 7", len(rows))
	}
	for _, row := range rows {
		listed := map[string]bool{}
		words, _, _ := strings.Cut(row[2], "   ")           // the text behind names folders
		if row[1] == "consumer" || row[1] == "errorqueue" { // their row continues in a second line
			_, after, _ := strings.Cut(block, row[0]+"\n")
			more, _, _ := strings.Cut(after, "\n")
			more, _, _ = strings.Cut(strings.TrimSpace(more), "   ")
			words += " " + more
		}
		for _, word := range strings.Fields(strings.ReplaceAll(words, "|", " ")) {
			listed[word] = true
		}
		files, err := filepath.Glob(filepath.Join(root, row[1], "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".go")
			if strings.HasSuffix(name, "_test") {
				continue
			}
			if !listed[name] {
				t.Errorf("docs/DESIGN.md does not list %s/%s.go", row[1], name)
			}
			delete(listed, name)
		}
		for name := range listed {
			t.Errorf("docs/DESIGN.md lists %s/%s.go, which is not there", row[1], name)
		}
	}
}
