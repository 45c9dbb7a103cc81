// Package sentry reports exceptions and parked messages to Sentry.
//
// Reported are panics, bodies that cannot be decoded, messages that kill their process,
// and whatever was parked; a retry that the handler asked for is not an event. Events are
// grouped by consumer and [monitoring.Outcome.Group], tagged with consumer, queue, reason
// and action, and carry attempt, max_retries, message_id and duration_ms in the context "delivery".
//
// The client is of its own: it shares no hub, no scope and no breadcrumbs with an app's
// Sentry, and the two can live side by side. Of the message, nothing but its id is sent
// unless [Config.SendPayload] asks for it: no headers, no payload. The error's text is
// sent as the handler made it, except that the passwords of URLs are blotted out;
// [Config.BeforeSend] can change more. The DSN appears in no log line and no error.
//
// In an fx app, add [Module] and supply a [Config]. Elsewhere, [New] and Close.
package sentry
