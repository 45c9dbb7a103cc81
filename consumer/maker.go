package consumer

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// maker makes the consumers of an app. It is immutable.
type maker struct {
	connections map[string]*connection.Connection // by Spec.Connection; the app's own may be nil
	monitor     monitoring.Monitor
	log         *slog.Logger
}

// lacks returns an error if the app does not have the Spec's connection.
func (m *maker) lacks(spec Spec) error {
	switch {
	case m.connections[spec.Connection] != nil:
		return nil
	case spec.Connection == "":
		return fmt.Errorf("consumer %q: %w", spec.Queue, errNoConnection)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(m.connections)), func(name string) bool { return name == "" })
	if len(names) == 0 {
		return fmt.Errorf("consumer %q: Connection is %q, and the app has no connection.Named", spec.Queue, spec.Connection)
	}
	return fmt.Errorf("consumer %q: Connection is %q, and connection.Named was given %q", spec.Queue, spec.Connection, names)
}

// of is New for the app's connections, monitor and logger. It does not check that the Spec's
// connection exists.
func (m *maker) of(spec Spec) (*Consumer, error) {
	return New(m.connections[spec.Connection], spec, m.monitor, m.log)
}

// whole makes a consumer that can be started. Its errors are those of lacks and of New.
func (m *maker) whole(spec Spec) (*Consumer, error) {
	c, err := m.of(spec)
	if err := errors.Join(m.lacks(spec), err); err != nil {
		return nil, err
	}
	return c, nil
}
