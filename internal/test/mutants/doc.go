// Package mutants breaks each promise of the engine on purpose, and sees it caught.
//
// A mutant is an edit of the sources, small and plausible. It is compiled through an overlay, so
// the sources themselves hold nothing of it, and the tests that it must not survive are run: the model, where a
// broker is simulated, and a scenario of the fault suite on a real one. What fails nowhere is a hole in the tests.
//
//	go test ./internal/test/mutants                  the edits still apply to the sources
//	go test -tags mutants ./internal/test/mutants    every mutant is caught; make mutants
package mutants
