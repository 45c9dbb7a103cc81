package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// Exchange is the topic exchange of the requests.
func (o Options) Exchange() string { return o.Prefix }

// Queue is the queue of what is to be turned black and white.
func (o Options) Queue() string { return o.Prefix + "-bw" }

// NoticeQueue is the queue of what the requester is told.
func (o Options) NoticeQueue() string { return o.Prefix + "-notices" }

// plans are what the workers and the requester need. The apps are made and not started.
func plans(o Options) ([]topology.Plan, error) {
	o.Declare = topology.All // by the one who has the file
	o.Redis = ""             // its client is not closed if the app is not started
	log := slog.New(slog.DiscardHandler)
	bw, err := consumer.Plans(worker(o, connection.Config{}, nil, log))
	if err != nil {
		return nil, err
	}
	notices, err := consumer.Plans(requester(o, connection.Config{}, nil, log))
	return append(bw, notices...), err
}

// writeTopology writes what is declared ahead, without a broker. examples/images/topology.yml is
// what it writes.
func writeTopology(w io.Writer, o Options) error {
	ps, err := plans(o)
	if err != nil {
		return err
	}
	return topologyfile.Write(w, ps...)
}

// applyTopology has the command declare it, as a job of a deployment would.
func applyTopology(ctx context.Context, o Options) error {
	file := filepath.Join(o.Out, "topology.yml")
	var text bytes.Buffer
	if err := writeTopology(&text, o); err != nil {
		return err
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}
	command := []string{"go", "run", "github.com/bunnicula-go/bunnicula/cmd/bunnicula"}
	if path, err := exec.LookPath("bunnicula"); err == nil {
		command = []string{path}
	}
	command = append(command, "topology", "apply", "--yes", "--file", file)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = os.Environ()
	if o.URL != "" {
		cmd.Env = append(cmd.Env, "AMQP_URL="+o.URL)
	}
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%srun images in the clone, or have bunnicula in PATH, or apply what \"images topology\" prints and say -applied",
			strings.Join(command, " "), err, said)
	}
	return nil
}
