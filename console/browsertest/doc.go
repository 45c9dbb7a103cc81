// Package browsertest tests the console in a real browser, Chromium. It is a module of its own, so
// that the library that drives the browser reaches nobody else. It has tests only.
//
//	make console-browser     the tests
//	make console-pictures    docs/console/*.png
package browsertest
