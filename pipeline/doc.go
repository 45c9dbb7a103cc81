// Package pipeline is for jobs of many messages: a handler makes any number of messages of one, the
// handlers of these make more, and somebody wants to know how far the job is and when it is
// complete. There is no database: progress is read from a stream of RabbitMQ.
//
// A [Stage] is the handler of one queue whose outputs go to another one. A [Sink] is the last. A
// [Start] publishes the items that a job begins with:
//
//	bank, err := pipeline.New(conn, pub, pipeline.Config{Name: "bank"}) // or pipeline.Module
//	err = bank.Start(ctx) // declares the stream bank-progress
//
//	consumer.Spec{Queue: "bank.accounts", Handler: pipeline.Stage(bank, "bank.rows",
//		func(ctx context.Context, in consumer.Message[Account], emit pipeline.Emit[Row]) consumer.Result {
//			for row, err := range rows(ctx, in.Payload) {
//				if err == nil {
//					err = emit(row) // waits while 128 are unconfirmed
//				}
//				if err != nil {
//					return consumer.Retry(err)
//				}
//			}
//			return consumer.Ack() // acked when all rows are confirmed, and that is reported
//		})}
//	consumer.Spec{Queue: "bank.rows", Handler: pipeline.Sink(bank, outbox.Once(box, save))}
//
//	job, err := pipeline.Start(ctx, bank, "bank.accounts", accounts)
//	p, err := bank.Progress(ctx, job) // or bank.Watch, or Config.Completed
//
// # What is promised
//
// A message that is acked has all its outputs in their queue, and a report of that in the stream.
// Its outputs have the same ids in every run, so a message that is handled again makes no others:
// with outbox.Once in the sink, rows are written as if nothing had failed. That needs handlers
// which emit the same outputs in the same order in every run, or give each a [Key].
//
// A job is complete when its start and all that is reported to be emitted is reported to be done. A
// message that is parked is not done; when it is redriven, the job goes on. Reports may be written
// twice, late and in any order.
//
// # What it costs
//
// A handler keeps its slot until its outputs and then its report are confirmed, some milliseconds.
// Up to 64 handlers share a record, so throughput comes from Concurrency: a sink that does nothing
// handled some 2,000 messages a second with 4, and 10,000 with 64, on two busy cores. A record of
// the stream has 100 to 150 bytes for each report.
//
// # What is not
//
// There are no joins, windows and timers, and no job is cancelled. Streams confirm without fsync,
// so a power cut of all brokers can lose a report: the job is then never complete, and never
// wrongly complete. A stream that is deleted loses the progress of all jobs, and no message.
//
// # Permissions
//
// Beside those of consumers and publishers: configure on the stream NAME-progress for whoever
// declares it, write on the default exchange (amq.default), and read on the stream for who asks for
// progress, names a job with JobID, or has a [Notifier]. Asking writes a mark to the stream, so it
// needs write too.
package pipeline
