// Package audit says who has done what in a console: to the log, and to a file that is on the disk
// before the action begins. No body and no header of a message is in either.
//
//	log, err := audit.Open(audit.Config{Dir: dir})
//	err = log.Write(audit.Entry{Who: user, From: address, Action: "redrive", Queue: "orders-error", Count: 12})
//
// An action whose Write fails must not be done.
package audit
