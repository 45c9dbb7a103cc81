// Package codecs measures how long JSON libraries take to decode messages: small ones, which are
// the usual ones, and larger ones. It is a module of its own, so that no other build includes these
// libraries. Run it with "make bench-codecs", once without and once with GOEXPERIMENT=jsonv2, in
// which encoding/json uses encoding/json/v2.
//
// The documents are answers of the API in examples/import, made of the real messages in that
// example.
package codecs
