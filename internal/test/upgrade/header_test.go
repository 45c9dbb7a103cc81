package upgrade_test

import "strings"

// Headers, as the earlier version writes them. They are spelled out here: a name that changes in
// today's code is to be noticed.
const (
	retryAttempts  = "retry-attempts"
	reason         = "bunnicula-reason"
	errorText      = "bunnicula-error"
	errorType      = "bunnicula-error-type"
	errorGroup     = "bunnicula-error-group"
	stack          = "bunnicula-stack"
	firstFailedAt  = "bunnicula-first-failed-at"
	failedAt       = "bunnicula-failed-at"
	failedQueue    = "bunnicula-queue"
	failedConsumer = "bunnicula-consumer"
	failedApp      = "bunnicula-app"
	failedVersion  = "bunnicula-app-version"
	failedHost     = "bunnicula-host"
	originalUserID = "bunnicula-original-user-id"
	notBeforeTime  = "bunnicula-not-before"
)

// isOurs says whether the framework writes a header, isBrokers whether the broker does. The others
// are the user's.
func isOurs(name string) bool    { return name == retryAttempts || strings.HasPrefix(name, "bunnicula-") }
func isBrokers(name string) bool { return strings.HasPrefix(name, "x-") }
