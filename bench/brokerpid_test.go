package main

import (
	"strconv"
	"testing"
)

func TestAListeningSocketIsFoundByItsPort(t *testing.T) {
	table := []byte(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:162A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:162A 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:162B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`)
	got := listening(table, 5674)
	if len(got) != 1 || got[0] != "socket:[4711]" {
		t.Errorf("port %d: %v", 5674, strconv.Quote(got[0]))
	}
	if got := listening(table, 40000); len(got) != 0 {
		t.Errorf("a connected port is taken for a listening one: %v", got)
	}
}
