// Package archive is the file format of exported messages: JSON Lines, which [Writer] writes and
// [Read] reads. The first line describes the file, the last one says how many messages it has, and
// each line between them is a message.
package archive
