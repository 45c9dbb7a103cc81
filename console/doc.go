// Package console shows consumers' queues and parked messages in a browser, where messages can be
// redriven, archived, deleted and exported. It pauses, limits and resumes consumers.
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
// The page of a consumer and that of the fleet ask all processes what runs in them, by the stream
// of package control: one question each 5 s while somebody looks.
//
// # Who may do what
//
// [Config.Identify] says who a viewer is, and what that person may do with which queue: see
// [Right]. A Config without Identify and without a [Login] serves this machine alone, and changes
// nothing.
//
// # Changing
//
// A plan says what would be done, and its form does it, once and within 10 minutes. It touches
// nothing that was parked after the messages were counted. [Config.StateDir] is where that is
// written down before it begins, and who has done it.
package console
