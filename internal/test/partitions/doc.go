// Package partitions kills and cuts off whatever consumes the partitions of a queue, and makes the
// account afterwards: were the messages of each key handled in the order in which they were
// published, and is none of them lost.
//
// Processes of the test binary consume all partitions of one queue. They join, leave, are killed,
// and lose their connections; the broker is killed too. Two of a hundred attempts fail, and some
// messages fail always. Whatever a handler does is a line of one file, the ledger, that all
// processes append to: the order of its lines is that in which things happened. Afterwards the
// account compares the ledger with what was published, and with the error queue:
//
//	inversion    an effect, or the beginning of an attempt, of a message before an earlier one of
//	             its key was through. A message is through when it has an effect, or when all tries
//	             of one delivery have failed.
//	backwards    a process that handles an earlier message of a key after a later one, more often
//	             than it has lost its session
//	twice        an effect that its message has already. Nothing is wrong with it.
//	parked       a message in the error queue, which has no effect
//	lost         a message without an effect that is not parked
//
// Messages are published over a bare channel while processes die, and not while the broker is down:
// a Publisher that is in doubt about a confirm publishes again, so that a message is there twice
// before anybody has consumed it.
//
// RabbitMQ 4.3 can keep a partition for a consumer that has ended: see ghost_test.go. A run in
// which it does so starts the leader of that queue again, says so, and goes on.
//
// The package has tests only. How to run it, with PARTITIONS = ./internal/test/partitions:
//
//	go test PARTITIONS -short                  a small one on the shared broker
//	go test PARTITIONS                         one seed, with a broker of its own that is killed
//	go test PARTITIONS -v -seeds 20 -seed 7    twenty seeds from 7 on; make keys SEEDS=20 SEED=7
//	go test PARTITIONS -v -variant shared      without SingleActive, to see that it fails
package partitions
