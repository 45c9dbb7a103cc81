// Bench measures this library beside the same work done on the raw client, amqp091-go, as a careful engineer would
// write it: with confirms, acks after the work, the same prefetch and the same queues.
//
//	make bench                       everything, the better part of an hour
//	make bench ARGS=-quick           everything, small, 3 minutes: to see that it works, not to judge by
//	make bench ARGS="-run consume"   some of it
//	go run ./bench -h       what else
//
// # How to read the figures
//
// A number of messages a second says more about the machine than about the code, and it changes from minute to
// minute with whatever else runs. So each case is work, and each of its sides a way to do it: ours first. The
// sides take turns, each in a process of its own and on a queue of its own, round after round and in another order each
// round (A B C, B C A, ...). The figure is the ratio of ours to another side's in one and the same round, and of
// those the median over all rounds. It stands in the other side's line, in the column "ratio": 1.40 for messages
// a second says that we did 1.4 times as many as that side; 0.60 for CPU or a latency, that we needed 0.6 of it. The ratio
// of the two medians stands beside it. Where the two differ much, or min and max lie far apart, the machine was
// busy, and more rounds are needed.
//
//	msg/s    messages a second, the median, the worst and the best round
//	client   CPU seconds, user and system, of the side's process for 100,000 messages
//	broker   those of the broker (Linux, and a broker of this machine; else "-")
//	reads    system calls of the side's process for one message, as /proc/self/io counts them
//	writes   (Linux; else "-")
//	allocs   allocations for one message, by the whole process: the client library's are most of them
//	bytes    what those allocated
//
// What is measured begins behind a tenth of the messages, which warm up buffers, goroutines and the heap, and ends
// with the last message handled, or confirmed. Connecting, declaring and filling the queue come before. Afterwards the queue
// is looked at: a side that has not acked everything, or published less than it says, has failed, and its case with it.
//
// The case consume-defaults does not compare the same settings: it is what somebody gets who sets nothing, beside
// what Clojure's Bunnicula does. The latency is from just before the publish to the handler, in one process with one clock.
// In the cases many-* the memory is heap and stacks in use after a garbage collection, less what was in use before the first
// connection.
//
// The goals (goals.go) are checked against what was measured, and met or missed is printed, with the number. After -quick
// that is a hint only.
//
// With -peer, the sides talk to package peer instead of a broker: it costs next to nothing, so that what is
// left is the client's own work. The test TestGate does that, counts allocations and CPU beside the raw client's, and
// compares them with testdata/gate.json: "make bench-gate". It is skipped under the race detector, which allocates by itself.
//
// # Where things are
//
//	main.go options.go          flags
//	case.go cases_*.go          what is measured
//	ours_*.go raw_*.go          the sides; latency.go and idle.go have both
//	runner.go process.go        rounds; a side's process
//	side.go meter.go usage.go   within it: order in, report out; what was used between two moments
//	body.go                     what messages hold
//	broker.go brokerpid.go      queues, backlog, the broker's CPU
//	metric.go statistics.go     medians and ratios
//	results.go compare.go       JSON
//	table.go plot.go page.go goals.go progress.go
//	profile.go flame.go         -profile, and its pictures
//	peer/                       the server that costs next to nothing
//	codecs/                     decoding, measured: a module of its own
package main
