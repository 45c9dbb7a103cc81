// Package monitoringtest has helpers for tests with monitors. [Recorder] is a Monitor that records
// what it is told. [Conformance] is a suite that every Monitor must pass.
package monitoringtest
