// Package health tells whether an application's connections and consumers work: over HTTP, for
// probes, and through callbacks.
//
//	/livez   503 when a consumer has been wedged for Config.WedgedAge: all its slots are taken by
//	         stuck handlers and blocked monitors, and only a restart helps. A restart does not
//	         help when the broker is away, so /livez does not fail then.
//	/readyz  503 when a connection is down, or a consumer is not subscribed or is wedged, for
//	         longer than Config.ErrorAge.
//
// Both answer with JSON that says what is bad and since when. A broker that takes no messages
// because of an alarm is only a warning: consuming goes on.
//
// A part may be bad for Config.ErrorAge before the application is down. It must be good for
// Config.Recovery before the application is up again, so that a reconnect does not change the
// status twice.
//
//	          ready for the first time          bad                    bad for ErrorAge
//	starting ---------------------------> ok <------------> degraded -------------------> down
//	   |                                   ^                                               |  ^
//	   |                                   '------------ good for Recovery ----------------'  |
//	   '------------------------------- not within Grace ------------------------------------'
//
// In an fx application, add [Module] before consumer.Module, and supply a [Config] with an Addr:
//
//	health.Module, fx.Supply(health.Config{Addr: ":8081"}), consumer.Module
//
// Elsewhere, use [New], the Watch methods and [Health.Start]. Other parts of an application, such
// as the relay of an outbox, are added by [Health.WatchPart].
package health
