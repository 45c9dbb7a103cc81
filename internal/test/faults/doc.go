// Package faults breaks the parts of a real system that can break, and counts the messages
// afterwards.
//
// It proves "at least once": every message that the broker confirmed to its publisher is in the end
// acked after its handler said so, waiting in its main or a retry queue, or parked in its error
// queue. Besides that, the number of duplicates is bounded by what was in flight when something
// broke; no handler sees an attempt above the limit; only messages that kill are parked as crashed;
// nothing hangs, and nothing leaks; and a consumer works again soon after the end of a fault.
//
// The package has tests only. A scenario is a name, a text that says what breaks, and a function
// that runs it:
//
//	{
//		name: "consumers-cut", breaks: "the workers' TCP connections are reset, three times",
//		run: func(s *stage) {
//			s.workers(2)                       // processes, started again when they die
//			s.stream(200, usual)               // messages a second, in the background
//			for range 3 {
//				s.traffic(time.Second)         // lets time pass
//				s.fault(func() { s.workerLinks().cut() })
//			}
//			s.finish()                         // waits, stops, counts, judges
//		},
//	}
//
// It is an entry of a table in a file scenarios_*_test.go, and that table is part of the matrix
// (matrix_test.go). One stage runs the scenario with a lane for each queue type, all in parallel
// under the same fault. A lane has its own queues, publisher, workers, proxies and account. Its
// measurements are a row of docs/RELIABILITY.md.
//
//	account      publishes numbered messages, and knows which were confirmed
//	behaviour    what a handler does with a message, which the message says
//	worker       a process with a real application; its handlers keep a journal
//	audit        takes what was confirmed, journaled and left in queues; returns complaints
//	lane, stage  put these together, and break them
//
// The verbs of a stage (stage_test.go and the files beside it) act on all its lanes:
//
//	workers, killWorker, restartWorker     processes: started, killed, deployed
//	publish, published, stream             messages: so many; wait for them; so many a second
//	handling, handlingOf, traffic          waiting: for handlers to begin, for time to pass
//	workerLinks, publisherLinks, allLinks  the network: cut, freeze, thaw, refuse, accept, slow,
//	                                       fast, blackhole, halfClose
//	fault                                  breaks and mends, and waits until all lanes work again
//	finish                                 ends and judges; further assertions come after it
//
// Each fault must be inside a call of fault: that call allows as many duplicates as were in flight.
// Outside of it no duplicate is allowed. The defaults of the consumers are in lane.spec, those of
// the connections in lane.connect. A new behaviour of messages is an entry in the table of
// behaviour_test.go, which also says how such messages may end.
//
// How to run it, with FAULTS = ./internal/test/faults:
//
//	go test FAULTS                                        the audit's tests, the quick scenarios
//	go test FAULTS -faults                                the whole matrix
//	go test FAULTS -faults -run TestFaults/consumers-cut  one scenario
//	go test FAULTS -faults -results FILE                  appends the measurements to FILE
//	go test FAULTS -run TestPage -update -results FILE    makes docs/RELIABILITY.md from FILE
//	go test FAULTS -run TestSoak -soak 10m -seed 42       random faults for ten minutes
//
// When a scenario fails, its directory is kept, with every worker's journal and log. The failure
// names it.
package faults
