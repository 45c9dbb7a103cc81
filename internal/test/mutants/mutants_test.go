package mutants

import "testing"

const root = "../../.."

// mutant is one broken promise.
type mutant struct {
	name   string
	breaks string // what is wrong with it
	edits  []edit
	caught []by
}

// by is a test that must fail.
type by struct {
	pkg, test string
	args      []string
}

// sources are the files that the mutant edits, by their path in the module.
func (m mutant) sources(t *testing.T) map[string]string {
	t.Helper()
	edited := map[string]string{}
	for _, e := range m.edits {
		if err := e.apply(root, edited); err != nil {
			t.Fatal(err)
		}
	}
	return edited
}

func TestTheEditsApply(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { m.sources(t) })
	}
}
