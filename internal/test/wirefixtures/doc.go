// Package wirefixtures reads the messages in docs/wire: each as it lies in a queue, and what a
// reader is to make of it. They are a contract with consumers in other languages, and with earlier
// and later versions of this module. Tests make them with today's code, and read them all:
//
//	go test ./internal/test/wirefixtures ./consumer ./errorqueue -run TestWire
//
// With -update they write the files instead, one package after the other (-p 1). What only one
// version of RabbitMQ writes is written with that version.
package wirefixtures
