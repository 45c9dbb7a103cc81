package errorqueue

import "github.com/bunnicula-go/bunnicula/internal/wire"

// The headers that the framework writes, for those who read error queues with other tools. [Message] has them all, read.
const (
	HeaderRetryAttempts = wire.RetryAttempts // retries so far, an integer; absent is 0

	HeaderReason        = wire.Reason        // why it was parked: error, retries-exhausted, timeout, panic, undecodable, crashed
	HeaderError         = wire.Error         // the error's text
	HeaderErrorType     = wire.ErrorType     // its Go type
	HeaderErrorGroup    = wire.ErrorGroup    // the same for failures of the same kind
	HeaderStack         = wire.Stack         // where it panicked, or hung
	HeaderHistory       = wire.History       // JSON, the last ten attempts
	HeaderFirstFailedAt = wire.FirstFailedAt // RFC 3339
	HeaderFailedAt      = wire.FailedAt      // RFC 3339
	HeaderQueue         = wire.Queue         // the queue that it came from, and is redriven to
	HeaderConsumer      = wire.Consumer
	HeaderApp           = wire.App
	HeaderAppVersion    = wire.AppVersion
	HeaderHost          = wire.Host

	HeaderOriginalExchange   = wire.OriginalExchange // as it was first published
	HeaderOriginalRoutingKey = wire.OriginalRoutingKey
	HeaderOriginalExpiration = wire.OriginalExpiration // milliseconds, as text
	HeaderOriginalUserID     = wire.OriginalUserID

	HeaderRedriveCount = wire.RedriveCount // how often it was redriven, an integer
	HeaderRedrivenAt   = wire.RedrivenAt   // RFC 3339
	HeaderRedriveID    = wire.RedriveID    // of the last redrive
)
