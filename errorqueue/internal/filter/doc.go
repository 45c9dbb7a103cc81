// Package filter is the language in which parked messages are chosen: [Parse] reads it, a [Filter]
// holds it, and [Filter.At] makes of it what [Matcher.Matches] applies to messages. It knows
// messages only as the values in a [Message], and imports nothing of this module.
package filter
