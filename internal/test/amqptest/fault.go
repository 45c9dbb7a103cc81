package amqptest

import (
	"fmt"
	"strings"
)

// Freeze suspends the node's process (SIGSTOP). Its sockets stay open and nothing answers, as on a
// machine that hangs. [Broker.Thaw] resumes the process.
func (b *Broker) Freeze() { b.t.Helper(); b.script("freeze"); b.state.Store(frozen) }

// Thaw ends a [Broker.Freeze].
func (b *Broker) Thaw() { b.t.Helper(); b.script("thaw"); b.state.Store(running) }

// MemoryAlarm makes the node believe that it uses too much memory, or ends that. The node then
// blocks the connections that publish, in its whole cluster. MemoryAlarm returns when the alarm is
// in effect, or gone. A restart ends the alarm too.
func (b *Broker) MemoryAlarm(on bool) {
	b.t.Helper()
	b.alarm(on, "memory", "{absolute, 1}",
		"vm_memory_monitor:get_vm_memory_high_watermark()", "vm_memory_monitor:set_vm_memory_high_watermark")
}

// DiskAlarm is [Broker.MemoryAlarm] for a full disk.
func (b *Broker) DiskAlarm(on bool) {
	b.t.Helper()
	b.alarm(on, "disk", "1 bsl 60",
		"rabbit_disk_monitor:get_disk_free_limit()", "rabbit_disk_monitor:set_disk_free_limit")
}

// alarm sets a limit that is certainly exceeded, or restores the earlier limit. It is one call,
// because each call boots an Erlang machine. The node itself keeps the earlier limit, because a
// restart forgets both.
func (b *Broker) alarm(on bool, resource, limit, get, set string) {
	b.t.Helper()
	change := `case application:get_env(rabbit, %[1]s) of
		{ok, Old} -> %[2]s(Old), application:unset_env(rabbit, %[1]s);
		undefined -> ok
	end`
	if on {
		change = `case application:get_env(rabbit, %[1]s) of
			{ok, _} -> ok;
			undefined -> application:set_env(rabbit, %[1]s, %[3]s), %[2]s(%[4]s)
		end`
	}
	b.eval(fmt.Sprintf(change+`,
		Wait = fun Wait(0) -> timeout;
			Wait(N) ->
				case lists:keymember({resource_limit, %[5]s, node()}, 1, rabbit_alarm:get_alarms()) of
					%[6]t -> ok;
					_ -> timer:sleep(50), Wait(N - 1)
				end
		end,
		Wait(200)`, "amqptest_"+resource, set, get, limit, resource, on))
}

// CloseConnections makes the node close all client connections with 320 and this reason, as an
// operator can.
func (b *Broker) CloseConnections(reason string) {
	b.t.Helper()
	b.Ctl("close_all_connections", reason)
}

// Setting is a setting of the application rabbit, such as {"consumer_timeout", "5000"}. The value
// is an Erlang term.
type Setting struct{ Name, Value string }

func erlang(settings []Setting) string {
	var terms []string
	for _, s := range settings {
		terms = append(terms, "{"+s.Name+", "+s.Value+"}")
	}
	return strings.Join(terms, ", ")
}

// Set changes a setting of the running node until its next start. Most settings are read when a
// connection, channel or queue begins. For one that is read at boot, and for one that must stay
// over restarts, see [StartBroker].
func (b *Broker) Set(name, term string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("application:set_env(rabbit, %s, %s)", name, term))
}

// MaxMessageSize changes the node's max_message_size, until its next start. Channels that are open
// may keep the limit that they have.
func (b *Broker) MaxMessageSize(bytes int) {
	b.t.Helper()
	// RabbitMQ 4 reads the setting at its start only, and keeps a copy.
	b.eval(fmt.Sprintf("application:set_env(rabbit, max_message_size, %[1]d), persistent_term:put(max_message_size, %[1]d)", bytes))
}

// eval runs Erlang on the node. The result must be ok.
func (b *Broker) eval(expression string) {
	b.t.Helper()
	if got := strings.TrimSpace(b.Ctl("eval", expression+".")); got != "ok" {
		b.t.Fatalf("amqptest: broker: got %s, want ok, of %s", got, expression)
	}
}
