// Package lines appends JSON lines to a file. A line is in the file as a whole or not at all, also
// after a full disk. Only a process or a machine that dies can leave a part of the last line, which
// the next Open removes.
package lines
