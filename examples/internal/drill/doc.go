// Package drill is what the big examples fail with on purpose: it starts processes of the program,
// kills them at moments that a seed decides, waits until the work is done, and looks into the
// queues.
//
// A reader of an example needs none of it: handlers, Specs and wiring are in the example.
//
//	fleet.go                starts processes, and hears what they tell
//	kills.go, toll.go       kill them, and count who has died
//	queues.go               look into the queues, and delete them
//	settle.go, wait.go      when it is over
//	screen.go               the progress, and what is logged
//	program.go, flags.go    exit codes and flags
package drill
