// Package upgrade proves that a new version takes over from an earlier one.
//
// A fixture (testdata) is what the earlier version has left at a broker: what it declared, and the
// messages that stood in its main, retry, quarantine and error queues, with each property and
// header in its AMQP type. One test declares just that, puts the messages in, and lets today's
// consumer run. It needs no code of the earlier version.
//
// The test of rolling upgrades runs workers of both versions side by side on the same queues and
// kills them. It needs the earlier version's code, from the git history, and runs if UPGRADE_FROM
// names a commit:
//
//	make upgrade SEED=42
//	make upgrade BROKER=4.3
//
// The fixtures are made anew, for whichever broker is up, by:
//
//	UPGRADE_FROM=b6aeeff go test ./internal/test/upgrade -run TestMake -make testdata/3.10.json
package upgrade
