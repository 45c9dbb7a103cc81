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
}

// Consumers returns all consumers of a virtual host, with the names of their connections. It
// returns an empty slice, and not nil, if there are none.
func (c *Client) Consumers(ctx context.Context, vhost string) ([]Consumer, error) {
	all := []Consumer{}
	if err := c.get(ctx, &all, "consumers", vhost); err != nil {
		return nil, err
	}
	var connections []struct {
		Name  string `json:"name"`
		Given string `json:"user_provided_name"`
	}
	if err := c.get(ctx, &connections, "vhosts", vhost, "connections"); err != nil {
		return nil, err
	}
	names := make(map[string]string, len(connections))
	for _, one := range connections {
		names[one.Name] = one.Given
	}
	for i := range all {
		all[i].Connection = names[all[i].Channel.Connection]
	}
	return all, nil
}
