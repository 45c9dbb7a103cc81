// Package redis shares the limits of use.Rate, use.RatePerKey and use.PerKey, and the marks of
// use.Dedupe, between processes, through Redis.
//
// # Limits
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379", DialerRetries: 1}) // go-redis
//	tenants, err := bunnicularedis.New(client, bunnicularedis.Config{
//		Limit: use.Limit{Events: 50}, // in a second, for each key, in all processes together
//	})
//	if err != nil {
//		return err
//	}
//	spec.Use = []consumer.Middleware{
//		use.RatePerKey(tenants, func(d consumer.Delivery) string { return d.AppID }),
//	}
//
// The rule is that of use.LocalLimiter, as a script which Redis runs for one message after the
// other. Times are those of Redis's clock, and its answers are durations, so the clocks of the
// processes do not matter. See package use for what a moment and a place are.
//
//	what happens                                  what becomes of the message
//	Redis gives it a moment                       handled then
//	Redis gives it a place                        snoozed until about then
//	Redis is down, full, read-only, still loads   snoozed for a few seconds, with the error
//	Redis does not answer within Config.Timeout   the same; 1 s by default
//	Redis refuses the login or a command          the same
//	the key in Redis is of another type           the same, until somebody deletes that key
//	the reply is none of the script's             the same
//	the answer comes when the moment has passed   asks again, three times at most, and then the same
//	the process dies                              delivered again; the moments given to it are lost
//
// So no message is handled without a moment, and none is lost. Monitors get the error as
// Outcome.Err: it has the words "redis limiter:", says which Redis, and has no password.
//
// In any Limit.Per at most Limit.Events + 1 handlers begin in all processes together, or Events +
// Burst with a Burst. That holds for Limits of up to 100 in a second. Above that a handler may be
// 10 ms late (Config.Slack), and as many more may begin as there are moments in that time.
//
// A moment is lost when the process that it was given to dies, or comes later than it may: when all
// its CPUs are busy, mostly. use.RatePerKey needs slots: what it says of Spec.Concurrency is for
// all processes together. Measured with four processes of 40 slots and 50 in a second, of which one
// process is killed: at most 51 in any second, at least 95 % of the limit over 30 s, and one snooze
// a message.
//
// # What limits do not promise
//
//   - After a FLUSHALL, a restart without persistence, or a failover to a replica that lacks the
//     last writes, Redis knows nothing of the moments that it has given. Messages that wait for one
//     are handled beside those that get one now. So once, too many are handled: as many as wait at
//     that time, and in no second more than twice the limit and a Burst. They wait for at most 5 s.
//     Messages that snooze have lost their places and may snooze once more.
//   - When the clock of Redis is set back, or that of the replica that takes over is behind,
//     messages wait for as much longer. When it is set forward, nothing happens above the limit.
//   - Messages of a key are not handled in order, and each attempt takes a moment.
//   - A Redis whose answers always take longer than three quarters of Config.Slack, and of the time
//     between two moments, gives none in time: the errors say so. Raise Config.Slack, by which the
//     limit becomes less exact. With a cluster or a Ring, whose nodes have a clock each, that is so
//     for each answer; with one Redis a slow answer is understood by faster ones.
//
// # What Redis needs for limits
//
// Version 5 or later; 7.0 is tested. One Redis, Sentinels, a cluster and a go-redis Ring will do: a
// call has one key. A key of a Limit is one sorted set, "bunnicula:limit:" and the key; keys above
// 100 bytes or with spaces, control characters or bytes that are no UTF-8 are hashed. It expires
// when nothing waits and no moment is taken, so an idle key takes nothing. A busy one takes some
// 100 bytes, and up to 140 for each message that waits in its line (measured). Use a Redis that
// evicts nothing (maxmemory-policy noeviction): with another policy a full one forgets limits, as
// after a flush.
//
// These permissions are enough:
//
//	ACL SETUSER bunnicula on >PASSWORD resetkeys ~bunnicula:limit:* resetchannels -@all +evalsha +eval +time +zscore +zadd +zrem +zremrangebyscore +pexpire
//
// A client with DialerRetries of 1 says at once what is wrong when Redis is down; with go-redis's
// default, 5, the Timeout ends first, and errors say only that there is no answer. What go-redis
// tries again (MaxRetries) may take two moments for a message, which costs a moment and nothing
// else. An ask is one round trip, and takes some 70 microseconds with a Redis on the same machine.
//
// # Copies of a message
//
// NewStore makes the Store of use.Dedupe for a fleet.
//
//	seen, err := bunnicularedis.NewStore(client, bunnicularedis.StoreConfig{})
//	if err != nil {
//		return err
//	}
//	spec.Use = []consumer.Middleware{use.Dedupe(seen, time.Hour)}
//
// A message has one key: the prefix, its queue, a colon and its id, as in
// "bunnicula:dedupe:orders:8c3f". It is a text: "done", or "claim" with the token and how many
// claims have lapsed. Where queue and id together have more than 100 bytes, or spaces, control
// characters or bytes that are no UTF-8, their hash stands in their place. A colon in the name of a
// queue is "%3A". DEL on the key has the message handled again, and SET with "done" and EX has it
// skipped. Both are for when none of its copies is being handled.
//
//	what happens                                  what becomes of the message
//	Redis is down, full, still loads              snoozed for a few seconds, with the error
//	it is a replica that takes no writes          the same, unless the message is done
//	Redis does not answer within the Timeout      the same; a claim that comes late is given back
//	Redis refuses the login or a command          the same
//	the key is of another type, or no claim       the same, until somebody deletes it
//	the process dies                              delivered again, and handled when its lease has ended
//	its claims lapse ten times in a row           parked; each counts for 24 hours
//
// After a FLUSHALL, a restart without persistence, or a failover to a replica that lacks the last
// writes, claims and marks are gone. Copies of what was done are handled again then, and copies of
// what is being handled are handled beside it. Leases and marks end by the clock of Redis: where it
// is set, they end as much earlier or later. Where the client gives up on a claim that Redis makes,
// as one with ContextTimeoutEnabled does after the Timeout, nobody gives it back: the message is
// busy until the lease ends, and that counts as a lapse. A claim is one round trip, and so is its
// end; a mark takes some 150 bytes (measured).
//
// These permissions are enough:
//
//	ACL SETUSER bunnicula on >PASSWORD resetkeys ~bunnicula:dedupe:* resetchannels -@all +evalsha +eval +get +set +del +pttl
package redis
