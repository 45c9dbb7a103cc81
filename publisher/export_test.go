package publisher

// Written says whether an async message has gone to the socket, or was about to.
func Written(c Confirmation) bool { return c.(*sending).state.Load() == written }

// InFlight is how many messages are in the pipeline.
func InFlight(c *Client) int { return len(c.sender.room) }
