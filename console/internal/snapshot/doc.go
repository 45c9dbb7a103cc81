// Package snapshot keeps what one pass over an error queue has read, so that many viewers can look
// at it as often as they like. AMQP shows messages only by delivering them, so a pass is expensive,
// and one pass must yield everything: groups, lists, filters, timelines and bodies.
//
//	store := snapshot.NewStore(snapshot.Config{Open: snapshot.Broker(conn, log)})
//	defer store.Close(ctx)
//	reading, err := store.Open(ctx, "orders-error")
//	snap := reading.Snapshot()
//	rows, total, err := snap.Find(filter, snapshot.Page{Limit: 50})
//
// All viewers of a queue share one Reading. A pass goes on when a viewer goes away, because a pass
// that ends early may change the queue's order.
package snapshot
