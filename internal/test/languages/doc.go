// Package languages runs the programs of examples/languages, which are those of docs/LANGUAGES.md,
// with Go consumers beside them on the same queues:
//
//	make languages
//
// It needs what scripts/languages installs, so it runs only if LANGUAGES names the languages.
package languages
