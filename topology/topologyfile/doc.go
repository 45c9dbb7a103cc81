// Package topologyfile keeps the declarations of consumers in a YAML file, for tools that do not
// run the application: the command bunnicula, a deployment's job, a review.
//
//	consumers:
//	  - queue: orders            # topology.Plan in snake case; only queue is needed
//	    delays: [10s, 1m]        # as Go writes durations
//	    bindings:
//	      - exchange: events
//	        kind: topic
//	        keys: [order.*]
//	    mode: all                # or satellites, never
//	    scheme: standard         # or bunnicula
//	    emits: [invoices]        # queues that the handler publishes to, for pictures
//	    concurrency: 4           # these four are of consumer.Spec; bunnicula doctor checks them
//	    prefetch: 10
//	    timeout: 60s             # or none
//	    grace: 5s
//
// An unknown field is an error that names its line. A file is for one virtual host.
//
// An app writes the file itself, so that the queues are described in one place: [Write] takes what
// consumer.Plans returns of an fx app that is not started, or Spec.Plan of each Spec. It does not
// write the last four fields: add those that differ from the defaults by hand. The folder
// examples/topology has a program that does it.
//
//	plans, err := consumer.Plans(app()) // the options of the app
//	if err != nil {
//		return err
//	}
//	return topologyfile.Write(os.Stdout, plans...)
package topologyfile
