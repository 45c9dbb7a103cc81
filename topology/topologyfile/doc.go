// Package topologyfile keeps what consumers declare in a YAML file, for tools that do not run the app: the command
// bunnicula, a deployment's job, a review.
//
//	consumers:
//	  - queue: orders            # the fields of topology.Plan in snake case; only queue must be there
//	    delays: [10s, 1m]        # as Go spells durations
//	    bindings:
//	      - exchange: events
//	        kind: topic
//	        keys: [order.*]
//	    mode: all                # or satellites, never
//	    scheme: standard         # or bunnicula
//	    concurrency: 4           # and some of consumer.Spec, for who checks them
//	    prefetch: 10
//	    timeout: 60s             # or none
//	    grace: 5s
//
// It is read strictly: what is not known is an error with its line. A file is about one virtual host.
//
// A Go program writes it from its Specs, so that nothing is said twice:
//
//	if len(os.Args) > 1 && os.Args[1] == "topology" {
//		return topologyfile.Write(os.Stdout, Orders(), Refunds())
//	}
package topologyfile
