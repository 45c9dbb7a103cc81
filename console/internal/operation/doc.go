// Package operation runs what people ask a console to do with an error queue: redrive, archive,
// delete or export messages. It has no HTTP in it. Each operation is one call into package
// errorqueue, which decides what becomes of a message.
//
//	runner, err := operation.Open(operation.Config{Dir: dir, Queue: open})
//	defer runner.Close(ctx)
//	err = runner.Start(operation.Intent{ID: id, Kind: operation.Redrive, Queue: "orders-error", Filter: "reason=timeout", Count: 12})
//	state, ok := runner.State(id)
//
// A journal in the directory has the intent of each operation before its call, its progress, and
// its end. An operation that a killed process has left without an end is Interrupted at the next
// Open. Go on with a new operation that has the same RedriveID: what was redriven already is left
// alone. No body and no header of a message is in the journal.
package operation
