// Package database finds the database of an outbox by its DSN, and opens it. It never says a
// password, and makes no file.
package database
