// Package strangers lets messages and errors that nobody expects through a consumer with every
// monitor, on a broker.
package strangers
