package languages

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
)

// reads is a program that reads files of docs/wire with bunnicula.js, and writes which attempt of
// each comes next.
const reads = `
import { readFileSync } from 'node:fs';
import { attemptOf } from './node/bunnicula.js';
const attempts = {};
for (const name of process.argv.slice(1)) {
  const file = JSON.parse(readFileSync('../../docs/wire/' + name + '.json'));
  const headers = Object.fromEntries(Object.entries(file.headers ?? {}).map(([key, typed]) => [key, Object.values(typed)[0]]));
  attempts[name] = attemptOf({ properties: { headers } }, { queue: file.queue.replace(/-(retry|quarantine).*/, ''), maxRetries: 5 });
}
console.log(JSON.stringify(attempts));`

func TestNodeReadsTheAttemptOfEachFile(t *testing.T) {
	if !slices.Contains(chosen(t), "node") {
		t.Skip("LANGUAGES does not name node")
	}
	want := map[string]int{}
	var names []string
	wirefixtures.Each(t, func(_ *testing.T, name string, m wirefixtures.Message) {
		if m.Handled != nil && m.Handled.Attempt > 0 {
			names, want[name] = append(names, name), m.Handled.Attempt
		}
	})
	said, code := run(t, []string{"node", "--input-type=module", "-e", reads}, names...)
	got := map[string]int{}
	if err := json.Unmarshal([]byte(said), &got); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v:\n%s", code, err, said)
	}
	if len(want) < 15 || !maps.Equal(got, want) {
		t.Errorf("Node reads %v, want %v", got, want)
	}
}
