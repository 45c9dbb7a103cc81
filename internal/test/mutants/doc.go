// Package mutants breaks each promise of the engine on purpose, and sees it caught.
//
// A mutant is an edit of the sources, small and plausible. It is compiled through an overlay, so
// the sources themselves hold nothing of it, and the tests that it must not survive are run: the
// model, where a broker is simulated, and a scenario of the fault suite on a real one. What fails
// nowhere is a hole in the tests.
//
//	go test ./internal/test/mutants                  the edits still apply to the sources
//	go test -tags mutants ./internal/test/mutants    every mutant is caught; make mutants
//
// An edit names a function, wherever its file is now, and an expression or statements in it, which
// are compared as syntax: comments and line breaks do not matter, and neither does code around
// them. When the code has changed too much, the error tells which function has gone or shows it as
// it is now; then the edit in table_test.go is written anew, so that it breaks the same promise.
package mutants
