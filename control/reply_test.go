package control

import (
	"encoding/base64"
	"testing"
)

// The first two are of RabbitMQ 3.10 and 4.3.
func TestAnAnswerGoesToAProcessThatHasAskedAndNowhereElse(t *testing.T) {
	for to, want := range map[string]bool{
		"amq.rabbitmq.reply-to.g1h2AA5yZXBseUAzNTY0NzAyOAAAapwAAAAUaw3CkQ==.66P2fBqBieTgNXeKI0uA7Q==": true,
		"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA3OTc0ODAyMAAK0yYAAAAAaw3Ctw==.TCn+o8E+kwX9PNAaBg3bBw==": true,
		"": false, "orders": false, "amq.rabbitmq.reply-to": false, "amq.rabbitmq.reply-to.": false, "amq.rabbitmq.reply-to.!!!.x": false,
		"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA3OTc0ODAyMAAK0yYAAAAAaw3Ctw==":                       false,
		"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA3OTc0ODAyMAAK0yYAAAAAaw3Ctw==.":                      false,
		"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA3OTc0ODAyMAAK0yYAAAAAaw3Ctw==.a.b":                   false,
		"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA3OTc0ODAyMAAK0yYAAAAAaw3C.TCn+o8E+kwX9PNAaBg3bBw==":  false,
		"amq.rabbitmq.reply-tox.g1h2AA5yZXBseUA3OTc0ODAyMAAK0yYAAAAAaw3Ctw==.TCn+o8E+kwX9PNAaBg3b": false,
	} {
		if isReply(to) != want {
			t.Errorf("%q is one: %t", to, !want)
		}
	}
	pid := func(begin ...byte) string {
		term := append(append([]byte{131}, begin...), make([]byte, 12)...)
		return replies + "." + base64.StdEncoding.EncodeToString(term) + ".k"
	}
	for _, to := range []string{pid(88, 119, 1, 'n'), pid(88, 118, 0, 1, 'n'), pid(88, 100, 0, 1, 'n'), pid(103, 115, 4, 'n')} {
		if !isReply(to) {
			t.Errorf("%q is none", to)
		}
	}
	for _, to := range []string{pid(), pid(88), pid(88, 118, 0), pid(88, 119, 9, 'n'), pid(97, 119, 1, 'n'), pid(88, 97, 1, 'n')} {
		if isReply(to) {
			t.Errorf("%q is one", to)
		}
	}
}
