// Package codecs measures how long JSON libraries take to decode messages: small ones, as most are, and larger ones.
// It is a module of its own, so that these libraries are in nobody's build. Run it with "make bench-codecs", once without and
// once with GOEXPERIMENT=jsonv2, in which encoding/json is made of encoding/json/v2.
//
// The documents are what the API of examples/import answers, with the real messages that it ships.
package codecs
