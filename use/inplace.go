package use

import (
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// InPlace tries again where the message is, for queues whose order matters.
func InPlace(tries int, pause time.Duration) consumer.Middleware { panic("not yet") }
