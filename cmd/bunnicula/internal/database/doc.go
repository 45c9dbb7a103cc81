// Package database finds the database of an outbox by its DSN, and looks at what is in its tables.
// It never says a password, and makes no file.
package database
