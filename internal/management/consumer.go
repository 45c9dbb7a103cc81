package management

import "context"

// Consumer is a consumer that has subscribed to a queue.
type Consumer struct {
	Tag string `json:"consumer_tag"`
	// Active says that the broker delivers to it. Of a queue with a single active consumer the
	// others stand by.
	Active bool `json:"active"`
	Queue  struct {
		Name string `json:"name"`
	} `json:"queue"`
	Channel struct {
		Connection string `json:"connection_name"` // the addresses of both ends
		Host       string `json:"peer_host"`       // of the consumer
	} `json:"channel_details"`
	Connection string `json:"-"` // the name that the client has given its connection, "" if none
	App        string `json:"-"` // the client properties app and app_version of its connection, "" if none
	Version    string `json:"-"`
}

// connection is what the API tells of a connection, and Consumers needs.
type connection struct {
	Name       string `json:"name"`
	Given      string `json:"user_provided_name"`
	Properties Values `json:"client_properties"` // what the client has sent
}

// Consumers returns all consumers of a virtual host, with what their connections say. It
// returns an empty slice, and not nil, if there are none.
func (c *Client) Consumers(ctx context.Context, vhost string) ([]Consumer, error) {
	all := []Consumer{}
	if err := c.get(ctx, &all, "consumers", vhost); err != nil {
		return nil, err
	}
	var connections []connection
	if err := c.get(ctx, &connections, "vhosts", vhost, "connections"); err != nil {
		return nil, err
	}
	byName := make(map[string]connection, len(connections))
	for _, one := range connections {
		byName[one.Name] = one
	}
	for i := range all {
		of := byName[all[i].Channel.Connection]
		all[i].Connection = of.Given
		all[i].App, _ = of.Properties["app"].(string)
		all[i].Version, _ = of.Properties["app_version"].(string)
	}
	return all, nil
}
