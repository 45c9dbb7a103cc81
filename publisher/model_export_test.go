package publisher

import (
	"log/slog"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// ClientOver makes a Client over a broker in simulated time.
func ClientOver(conn transport.Connection, cfg Config) (*Client, error) {
	cfg = cfg.defaults()
	sender, err := NewSenderOver(conn, cfg.Window, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &Client{config: cfg, app: conn.Name(), sender: sender}, nil
}

// UserID sets the property that a broker refuses if it is not the connection's own.
func UserID(id string) Option { return func(d *draft) error { d.env.UserId = id; return nil } }
