//go:build unix

package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// row has the measurements of one lane.
type row struct {
	Scenario string             `json:"scenario"`
	Queue    topology.QueueType `json:"queue"`
	Broker   string             `json:"broker"` // its version
	At       time.Time          `json:"at"`     // when it was recorded
	verdict
	Faults int `json:"faults"`
	// The longest time from a fault's end until a handler worked again.
	Recovered time.Duration `json:"recovered"`
	Took      time.Duration `json:"took"`
	Failed    bool          `json:"failed"`
}

func (r row) String() string {
	return fmt.Sprintf("%-7s on %s: %d published, %d confirmed, %d acked, %d parked, %d of %d duplicates, %d LOST; %d faults, recovered after %s, longest stall %s, took %s",
		r.Queue, r.Broker, r.Published, r.Confirmed, r.Acked, r.Parked, r.Duplicates, r.Bound, r.Lost,
		r.Faults, r.Recovered.Round(time.Millisecond), r.Stall.Round(time.Millisecond), r.Took.Round(100*time.Millisecond))
}

var recording sync.Mutex // scenarios run in parallel

// record appends the row to the file of the flag -results, if that is given.
func (r row) record(t testing.TB) {
	t.Helper()
	if *resultsFile == "" {
		return
	}
	r.At = time.Now().UTC()
	line, err := json.Marshal(r)
	if err != nil {
		t.Errorf("results: %v", err)
		return
	}
	recording.Lock()
	defer recording.Unlock()
	f, err := os.OpenFile(*resultsFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		t.Errorf("results: %v", err)
	}
}
