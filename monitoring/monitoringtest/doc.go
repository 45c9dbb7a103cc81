// Package monitoringtest helps to test what monitoring is told, and what tells it.
//
// [Recorder] is a Monitor that remembers; [Conformance] is a suite that every Monitor passes.
package monitoringtest
