// Package foreign makes what somebody else has written fit to be shown, logged, exported or sent:
// texts, errors and times. A message's producer, a handler, the broker or another host has written
// it, so it can hold any bytes, be of any length, and panic when it is read.
//
// Each place that hands such a value on gets it through this package, with the bound that the place
// sets.
package foreign
