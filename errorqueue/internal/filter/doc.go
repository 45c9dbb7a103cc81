// Package filter is the language that chooses parked messages. [Parse] reads text, a [Filter] holds
// the choice, and [Filter.At] makes a [Matcher] of it, whose [Matcher.Matches] looks at messages. A
// message is only the values in a [Message].
package filter
