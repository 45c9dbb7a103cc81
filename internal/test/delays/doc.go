// Package delays looks whether messages with a delay are handled when they are due: not one of them
// early, all of them soon after, and none lost, whatever happens to the processes that consume
// them. The handlers of worker processes write down when they run, by the clock of this host.
package delays
