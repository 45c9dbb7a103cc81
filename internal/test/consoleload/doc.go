// Package consoleload is a test that measures the console beside its bounds, with many parked
// messages: how soon pages are there, what a reading costs beside errorqueue's, memory, and what
// many browsers cost the broker. The console has a process of its own, so that its memory is its
// own.
//
// make console-load runs it, MESSAGES says how many messages are parked. A bound on a time is
// multiplied by SLACK, for machines that do something else too; numbers of deliveries, readings and
// messages are exact whatever the machine does.
package consoleload
