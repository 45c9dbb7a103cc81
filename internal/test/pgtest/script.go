package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// node is a private cluster of scripts/postgres.
type node struct {
	path string   // of the script; immutable
	env  []string // selects the cluster; immutable
}

var nodes atomic.Int32

// newNode returns a cluster that is not started. Each setting is a line of a postgresql.conf. A
// guard wipes it if this process ends without a dismiss.
func newNode(settings []string) (n node, dismiss func() error, err error) {
	path, err := find()
	if err != nil {
		return node{}, nil, err
	}
	// A kill of the server, unlike one of the machine, loses nothing that was not synced.
	conf := append([]string{"fsync = off"}, settings...)
	n = node{path: path, env: []string{
		"BUNNICULA_POSTGRES=",
		"POSTGRES_NODE=test-" + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(int(nodes.Add(1))),
		"POSTGRES_CONF=" + strings.Join(conf, "\n"),
	}}
	dismiss, err = amqptest.Guard(n.path, n.env)
	return n, dismiss, err
}

// run runs scripts/postgres and returns its output. The error has what it has written to stderr.
func (n node) run(verb string) (string, error) {
	cmd := exec.CommandContext(context.Background(), n.path, verb)
	cmd.Env = append(os.Environ(), n.env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("scripts/postgres %s: %w: %s", verb, err, bytes.TrimSpace(complaint.Bytes()))
	}
	return strings.TrimSpace(out.String()), nil
}

// up starts the cluster and returns its URL.
func (n node) up() (string, error) {
	if _, err := n.run("up"); err != nil {
		return "", err
	}
	return n.run("url")
}

// find returns scripts/postgres of the nearest directory above the test's own that has it.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, "scripts", "postgres")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("scripts/postgres is in no directory above")
		}
		dir = parent
	}
}
