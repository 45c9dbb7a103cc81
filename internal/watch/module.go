// Package watch finds what there is in an fx app to look after.
package watch

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// Parts are an app's connections and consumers, as far as it has any.
type Parts struct {
	fx.In

	Connection  *connection.Connection       `optional:"true"`
	Connections []connection.NamedConnection `group:"bunnicula.connections"`
	Consumers   *consumer.Group              `optional:"true"`
}

// Each tells of all of them: of the connections by their names.
func (p Parts) Each(connections func(name string, c *connection.Connection), consumers func(*consumer.Group)) {
	if p.Connection != nil {
		connections(p.Connection.Name(), p.Connection)
	}
	for _, c := range p.Connections {
		connections(c.Name, c.Connection)
	}
	if p.Consumers != nil {
		consumers(p.Consumers)
	}
}
