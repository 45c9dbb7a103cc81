// Package fleet gives orders to a fleet of processes, breaks what carries them, and looks whether
// each process obeys.
//
// Each process of the test binary has three consumers and an Agent of package control. It appends
// to one file, the ledger, whenever a consumer has become paused, limited or free, and whenever a
// handler begins and ends, with the time of this host's clock. The test is the operator. It reads
// in the ledger when the last process has obeyed an order, and that no handler of a paused consumer
// has begun since, whatever was killed meanwhile.
//
// The package has tests only. How to run it, with FLEET = ./internal/test/fleet:
//
//	go test FLEET -short                       three processes on the shared broker
//	go test FLEET -v                           twenty, with a broker of their own that is killed
//	go test FLEET -v -forgetful                agents that forget at a restart, to see that it fails
package fleet
