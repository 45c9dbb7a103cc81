// Package health tells whether an app's connections and consumers work, to probes over HTTP and to callbacks.
//
//	/livez   503 when a consumer has been wedged for Config.WedgedAge: all its slots are taken by handlers or monitors that do
//	         not return. Nothing but a restart helps then. A broker that is away is no reason to restart.
//	/readyz  503 when something does not work: a connection is down, a consumer is not subscribed or is wedged.
//
// Both answer with JSON that says what and since when. A broker that takes no messages because of an alarm is shown, as a warning,
// and is no reason to be down: consuming goes on.
//
// What is bad is allowed to be so for Config.ErrorAge before the app is down, and has to be good for Config.Recovery
// before it is up again, so that a reconnect does not make it flap.
//
//	          ready for the first time          bad                    bad for ErrorAge
//	starting ---------------------------> ok <------------> degraded -------------------> down
//	   |                                   ^                                               |  ^
//	   |                                   '------------ good for Recovery ----------------'  |
//	   '------------------------------- not within Grace ------------------------------------'
//
// In an fx app, add [Module] before consumer.Module, and supply a [Config] with an Addr:
//
//	health.Module, fx.Supply(health.Config{Addr: ":8081"}), consumer.Module
//
// Elsewhere, [New], Watch and [Health.Start].
package health
