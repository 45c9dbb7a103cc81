// Package sentry reports exceptions and parked messages to Sentry.
//
// It reports panics, bodies that cannot be decoded, messages that kill their process, and all other
// parked messages. It does not report a retry that the handler asked for. Events are grouped by
// consumer and [monitoring.Outcome.Group], tagged with consumer, queue, reason and action, and
// carry attempt, max_retries, message_id and duration_ms in the context "delivery".
//
// The Sentry client is separate: it shares no hub, no scope and no breadcrumbs with an app's own
// Sentry. An event holds the message's id, but no headers, and no payload unless
// [Config.SendPayload] asks for it. The error's text is sent as the handler made it, except that
// passwords in URLs are replaced by ***; [Config.BeforeSend] can change more. The DSN appears in no
// log line and no error.
//
// In an fx app, add [Module] and supply a [Config]. Elsewhere, [New] and Close.
package sentry
