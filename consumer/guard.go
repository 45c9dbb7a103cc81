package consumer

// suspicious is the delivery count from which a message may be the one that kills its
// process. The first return may have been an accident of a neighbour's.
const suspicious = 2

// Consumer.losses counts the sessions that ended while this process lived on. The broker's delivery count cannot tell
// a process that died from a connection that was lost, but we can: of the times that a message came back,
// as many as we lost sessions may have been ours, and we are here to say that it did not kill us. So a flapping link
// parks nothing as crashed. No clock is asked since when, because the publisher's may be another.
//
// A message that does kill profits from this once at most in each process: the next one has lost nothing yet.
