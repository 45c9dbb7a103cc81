// Bench compares this library with the same work done on the raw client, amqp091-go, as a careful
// engineer would write it: with confirms, acks after the work, the same prefetch and the same
// queues. Two cases also compare it with other libraries, in the program others.
//
//	make bench                       everything, an hour
//	make bench ARGS=-quick           everything, small, 3 minutes: shows that it works
//	make bench ARGS="-run consume"   some of it
//	go run -C bench . -h                what else
//
// # How to read the figures
//
// A number of messages a second says more about the machine than about the code, and it changes
// from minute to minute with other load. So each case is some work, and each of its sides is one
// way to do it; the first side is this library. The sides take turns, round after round. Each side
// runs in its own process with its own queue. The order changes with each round (A B C, B C A,
// ...). The figure is the ratio of this library to another side in the same round; its median over
// all rounds is in the other side's line, in the column "ratio". A ratio of 1.40 for messages a
// second means that this library handled 1.4 times as many messages as that side. A ratio of 0.60
// for CPU or latency means that it needed 0.6 times as much. The ratio of the two medians is beside
// it. If the two differ much, or min and max are far apart, the machine was busy, and more rounds
// are needed.
//
//	msg/s    messages a second: the median, the worst and the best round
//	client   CPU seconds, user and system, of the side's process for 100,000 messages
//	broker   those of the broker (Linux, and a broker of this machine; else "-")
//	reads    system calls of the side's process for one message, as /proc/self/io counts them
//	writes   (Linux; else "-")
//	allocs   allocations for one message, by the whole process: most are the client library's
//	bytes    the bytes of those allocations
//
// The measurement begins after a tenth of the messages, which warm up buffers, goroutines and the
// heap. It ends when the last message is handled, or confirmed. Connecting, declaring and filling
// the queue come before. Afterwards the queue is checked. A side that has not acked everything, or
// has published less than it says, has failed, and so has its case.
//
// The case consume-defaults does not compare equal settings. It compares this library without any
// setting with Clojure's Bunnicula. The latency is the time from just before the publish to the
// handler, in one process with one clock. In the cases many-* the memory is heap and stacks in use
// after a garbage collection, minus those before the first connection.
//
// The sides of other libraries are in a program of its own, which "make bench" builds and -others
// names. Their versions are in the results.
//
// The cases broker-* compare the broker with itself, and run only with -long. All sides are the
// same code of the raw client. Their queues differ in one argument, or their copies in one
// property. The first side has the queues and the headers of this library.
//
// With -long there are cases that show what grows. The cases queues-* have so many queues with a
// consumer each in one process: idle, and with 2,000 messages a second over all of them. Their CPU
// is in cores: first while there are no messages (idle, broker), then under the load (busy,
// broker). The column again counts messages that arrived once more; the first arrival is measured.
// In the cases processes-* so many processes share one queue. All of them are subscribed before
// they begin at one moment, and their CPU is added up. The columns least and most are the messages
// of the process that had the fewest and the most, as a part of the mean.
//
// With -memory 1h there is one process and no other side. It publishes 5,000 messages a second with
// confirms, and handles them; one in 100 is retried, and one in 10,000 is parked. Every 10 s it
// takes a sample: the heap that the last garbage collection has found in use, the resident set, the
// goroutines, and the p99 from publish to handler. The growth in an hour is the slope of the
// samples after the first sixth of the time, by least squares. A run of 30 minutes or more fails if
// the heap grows by more than 5 MiB an hour. On a machine that is too slow, or too busy, fewer
// messages are published: never is more than about a second's worth waiting in the queue.
//
// The goals (goals.go) are compared with the results. Each is printed as met or missed, with its
// number. After -quick that is only a hint.
//
// With -peer, the sides talk to package peer instead of a broker. The peer needs very little CPU,
// so the rest is the client's own work. The test TestGate does that: it counts allocations,
// compares the CPU with that of the raw client, and compares both with testdata/gate.json ("make
// bench-gate"). It is skipped under the race detector, which allocates by itself.
//
// The cases parts-* need -long. Their first side is a handler without any part, so a ratio above 1
// for messages a second means that the part costs something.
//
// # Where things are
//
//	main.go options.go          flags
//	case.go cases_*.go          what is measured
//	ours_*.go raw_*.go          the sides; latency.go and idle.go have both
//	others.go                   the sides of other libraries, and their versions
//	parts.go                    the sides that have one part more
//	queues.go child*.go         sides with many queues, or of many processes
//	memory.go steady.go vitals.go trend.go
//	                            -memory: the run, its load, a sample, the growth
//	runner.go process.go        rounds; a side's process
//	side.go                     within it: the side of an order
//	turn/                       a side's process: order in, report out; meter, usage, payload
//	broker.go brokerpid.go      queues, backlog, the broker's CPU
//	metric.go statistics.go     medians and ratios
//	results.go compare.go       JSON
//	table.go plot.go chart.go growth.go
//	page.go parts_page.go growthpage.go goals.go progress.go
//	profile.go flame.go         -profile, and its pictures
//	peer/                       the server that needs very little CPU
//	codecs/                     measures decoding; a module of its own
//	others/                     the sides of other libraries; a module of its own
package main
