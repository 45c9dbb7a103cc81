// Package inflate undoes the content encoding gzip, within bounds. [Parse] takes the property of a
// message apart, [Gunzip] undoes what is gzip, and [View] does both for people who look at a
// message. Package codec, the error queue's filters and the command use it, so all of them see the
// same body.
package inflate
