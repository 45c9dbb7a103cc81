// Package outboxlook looks at what is in the tables of an outbox, for whoever is to say what is
// wrong with it. It changes nothing, and imports no driver.
package outboxlook
