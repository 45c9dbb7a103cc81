package management

import (
	"context"
	"encoding/json"
)

// Consumer is a consumer that has subscribed to a queue.
type Consumer struct {
	Tag string `json:"consumer_tag"`
	// Active says that the broker delivers to it. Of a queue with a single active consumer the
	// others stand by.
	Active   bool `json:"active"`
	Prefetch int  `json:"prefetch_count"`
	Queue    struct {
		Name string `json:"name"`
	} `json:"queue"`
	Channel    Channel `json:"channel_details"`
	Connection string  `json:"-"` // the name that the client has given its connection, "" if none
}

// Channel says where a consumer is.
type Channel struct {
	Connection string `json:"connection_name"` // the addresses of both ends
	Host       string `json:"peer_host"`       // of the consumer
}

// UnmarshalJSON accepts an empty list, which the API has for a moment when the channel of a
// stream's consumer has ended.
func (c *Channel) UnmarshalJSON(text []byte) error {
	*c = Channel{}
	if len(text) == 0 || text[0] != '{' {
		return nil
	}
	type plain Channel
	return json.Unmarshal(text, (*plain)(c))
}

// Consumers returns all consumers of a virtual host, with the names of their connections. It
// returns an empty slice, and not nil, if there are none.
func (c *Client) Consumers(ctx context.Context, vhost string) ([]Consumer, error) {
	_, all, err := c.Connected(ctx, vhost)
	return all, err
}

// Connected returns all connections and all consumers of a virtual host. Neither is nil without an
// error.
func (c *Client) Connected(ctx context.Context, vhost string) ([]Connection, []Consumer, error) {
	consumers := []Consumer{}
	if err := c.get(ctx, &consumers, "consumers", vhost); err != nil {
		return nil, nil, err
	}
	connections, err := c.connections(ctx, vhost)
	if err != nil {
		return nil, nil, err
	}
	names := make(map[string]string, len(connections))
	for _, one := range connections {
		names[one.Name] = one.Given
	}
	for i := range consumers {
		consumers[i].Connection = names[consumers[i].Channel.Connection]
	}
	return connections, consumers, nil
}
