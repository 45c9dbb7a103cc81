package management

import (
	"context"
	"net/url"
	"time"
)

// Connection is a connection of a client.
type Connection struct {
	Name       string     `json:"name"`               // the addresses of both ends
	Given      string     `json:"user_provided_name"` // the name that the client has given it, "" if none
	Host       string     `json:"peer_host"`
	User       string     `json:"user"`
	State      string     `json:"state"`
	Channels   int        `json:"channels"`
	Since      int64      `json:"connected_at"` // in milliseconds
	Properties Properties `json:"client_properties"`
}

// Properties are what a client says of itself. Each may be missing.
type Properties map[string]any

// Text returns a property, "" if it is missing or no text.
func (p Properties) Text(name string) string {
	text, _ := p[name].(string)
	return text
}

// UnmarshalJSON accepts whatever is no object for none.
func (p *Properties) UnmarshalJSON(text []byte) error {
	var values Values
	if err := values.UnmarshalJSON(text); err != nil {
		return err
	}
	*p = Properties(values)
	return nil
}

// Began returns since when it is open, zero if unknown.
func (c *Connection) Began() time.Time {
	if c.Since <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(c.Since)
}

// connections returns all connections of a virtual host.
func (c *Client) connections(ctx context.Context, vhost string) ([]Connection, error) {
	all := []Connection{}
	columns := url.Values{"columns": {"name,user_provided_name,client_properties,peer_host,user,state,connected_at,channels"}}
	err := c.query(ctx, &all, columns, "vhosts", vhost, "connections")
	return all, err
}
