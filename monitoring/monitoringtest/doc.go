// Package monitoringtest has helpers for tests with monitors. [Recorder] is a Monitor that records
// its calls. [Conformance] is a suite that every Monitor must pass.
package monitoringtest
