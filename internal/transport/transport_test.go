package transport

import "testing"

func TestANackCountsBeforeRabbitMQ43(t *testing.T) {
	for version, want := range map[string]bool{
		"3.10.8": true, "3.13.7": true, "4.0.5": true, "4.2.9": true, "4.3.0": false, "4.3.6": false, "4.10.0": false, "5.0.0": false, "": true, "4": true, "next": true,
	} {
		if got := (Peer{Version: version}).NackCounts(); got != want {
			t.Errorf("%q: %t, want %t", version, got, want)
		}
	}
}
