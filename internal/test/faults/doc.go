// Package faults breaks what a real system breaks, and counts the messages afterwards.
//
// What it proves is "at least once": every message that the broker confirmed to its publisher is in the end
// acked after its handler said so, waiting in its main or a retry queue, or parked in its error queue. Beside
// that: what is there twice is bounded by what was in flight when something broke; no handler sees an attempt above the
// limit; only messages that kill are parked as crashed; nothing hangs, and nothing leaks; and a consumer is
// at work again soon after the fault has ended.
//
// There are only tests here. A scenario is a name, what breaks, and a function that plays it:
//
//	{
//		name: "consumers-cut", breaks: "the workers' TCP connections are reset, three times",
//		run: func(s *stage) {
//			s.workers(2)                       // processes, started again when they die
//			s.stream(200, usual)               // messages a second, in the background until finish
//			for range 3 {
//				s.traffic(time.Second)         // lets time pass
//				s.fault(func() { s.workerLinks().cut() })
//			}
//			s.finish()                         // waits, stops, counts, judges
//		},
//	}
//
// It stands in a table of a file scenarios_*_test.go, and that table in the matrix (matrix_test.go). One stage
// plays it with a lane for each queue type, all side by side under the same fault. A lane has its own queues,
// publisher, workers, proxies and account. What it measured is a row of docs/RELIABILITY.md.
//
//	account      publishes numbered messages, and knows which were confirmed
//	behaviour    what a handler does with a message: the message says it
//	worker       a process with a real app in it; its handlers keep a journal
//	audit        judges: confirmed messages, journals and what is left in the queues go in, complaints come out
//	lane, stage  put these together, and break them
//
// The verbs of a stage (stage_test.go and those beside it) act on all its lanes:
//
//	workers, killWorker, restartWorker     processes: started, killed, deployed
//	publish, published, stream             messages: so many; wait for them; so many a second
//	handling, handlingOf, traffic          waiting: for handlers to begin, for time to pass
//	workerLinks, publisherLinks, allLinks  the network: cut, freeze, thaw, refuse, accept, slow, fast, blackhole, halfClose
//	fault                                  breaks and mends, and waits until all are at work again
//	finish                                 ends and judges; what is to be asserted beyond that comes behind it
//
// Whatever breaks something goes into a fault: each allows as many duplicates as were in flight, and outside of them
// none are. What a scenario does not say of its consumers is in lane.spec, of their connections in lane.connect. A new
// behaviour of messages is an entry in the table of behaviour_test.go, which also says how such messages may end.
//
// How to run it:
//
//	go test ./internal/test/faults                                        the audit's own tests and the quick scenarios
//	go test ./internal/test/faults -faults                                the whole matrix
//	go test ./internal/test/faults -faults -run TestFaults/consumers-cut  one scenario
//	go test ./internal/test/faults -faults -results FILE                  appends what it measured to FILE
//	go test ./internal/test/faults -run TestPage -update -results FILE    makes docs/RELIABILITY.md of it
//	go test ./internal/test/faults -run TestSoak -soak 10m -seed 42       random faults for ten minutes
//
// When a scenario fails, its directory is kept, with every worker's journal and log, and the failure names it.
package faults
