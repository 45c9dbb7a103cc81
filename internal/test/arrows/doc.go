// Package arrows holds one test: which package of this module may import which. Its table is the
// design's diagram, and a new package needs a row.
package arrows
