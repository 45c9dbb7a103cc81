// Package console shows consumers' queues and parked messages in a browser. It reads and shows; it
// changes nothing.
//
//	h, err := console.New(console.Config{Connection: conn, BasePath: "/ops/queues", Identify: who})
//	mux.Handle("/ops/queues/", h)
//	defer h.Close(ctx)
//
// The command "bunnicula console" serves it on this machine.
//
// # What it costs
//
// The overview and the pages of topology and doctor read no message. All viewers share one look at
// the broker each 5 s, and without viewers nobody looks. The pages of an error queue need one
// reading of it, which all viewers share: package errorqueue says what a reading is.
//
// # Who may see what
//
// [Config.Identify] says who a viewer is, and which queues that person may see. A Config without
// Identify and without a [Login] serves this machine alone.
package console
