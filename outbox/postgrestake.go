package outbox

import "fmt"

const (
	maxBytes   = 32 << 20 // of the bodies that are taken at once; one row may have more
	window     = 4        // times Batch: how many rows a scan looks at for their keys
	keysAtOnce = 2000     // how many keys a scan of keys looks at
)

// The statements that take rows are made of these parts. Each is written so that there is one way
// to run it: it begins at the first entry of an index and stops at a limit, or it fetches a row by
// its place. A subquery that locks cannot be merged into another, so it locks what has come through
// the one before, and no more.
const (
	// free are rows without a key, the first that are due.
	free = `free AS MATERIALIZED (
SELECT o.ctid AS tid FROM bunnicula_outbox o WHERE o.state = 0 AND o.key IS NULL AND o.due <= now()
ORDER BY o.due, o.seq LIMIT %[1]d FOR NO KEY UPDATE SKIP LOCKED)`

	// keysOfDue are the keys of the rows that are due first.
	keysOfDue = `seen AS MATERIALIZED (
SELECT o.key, o.due FROM bunnicula_outbox o WHERE o.state = 0 AND o.key IS NOT NULL AND o.due <= now()
ORDER BY o.due, o.seq LIMIT %[3]d),
keys AS MATERIALIZED (SELECT key FROM seen GROUP BY key ORDER BY min(due))`

	// keysBehind are the keys behind another, from one to the next by the index.
	keysBehind = `k AS (
(SELECT o.key FROM bunnicula_outbox o WHERE o.key IS NOT NULL AND o.state IN (0, 1, 5) AND o.key > $1::text
ORDER BY o.key, o.seq LIMIT 1)
UNION ALL
SELECT n.key FROM k CROSS JOIN LATERAL (
SELECT o.key FROM bunnicula_outbox o WHERE o.key IS NOT NULL AND o.state IN (0, 1, 5) AND o.key > k.key
ORDER BY o.key, o.seq LIMIT 1) n),
seen AS MATERIALIZED (SELECT key FROM k LIMIT %[3]d),
keys AS MATERIALIZED (SELECT key FROM seen)`

	// heads are the first rows of the keys, if they may be published and nobody has locked them.
	// A row that was changed since the statement began has another place, and is left out.
	heads = `heads AS MATERIALIZED (
SELECT l.tid, l.key, l.seq FROM keys k
CROSS JOIN LATERAL (
SELECT e.ctid AS tid FROM bunnicula_outbox e
WHERE e.key = k.key AND e.key IS NOT NULL AND e.state IN (0, 1, 5) ORDER BY e.seq LIMIT 1) h
CROSS JOIN LATERAL (
SELECT o.ctid AS tid, o.key, o.seq FROM bunnicula_outbox o
WHERE o.ctid = h.tid AND o.state = 0 AND o.due <= now() FOR NO KEY UPDATE SKIP LOCKED) l
LIMIT %[1]d)`

	// ready are the heads and some rows behind each. place tells which row is missing, because it
	// may not be published or is locked: nothing behind it may be published.
	ready = `ready AS MATERIALIZED (
SELECT place, tid FROM (
SELECT 0 AS place, tid FROM heads
UNION ALL
SELECT p.place, l.tid FROM heads h
CROSS JOIN LATERAL (
SELECT e.ctid AS tid, row_number() OVER (ORDER BY e.seq) AS place FROM bunnicula_outbox e
WHERE e.key = h.key AND e.key IS NOT NULL AND e.state IN (0, 1, 5) AND e.seq > h.seq ORDER BY e.seq LIMIT %[2]d) p
CROSS JOIN LATERAL (
SELECT o.ctid AS tid FROM bunnicula_outbox o
WHERE o.ctid = p.tid AND o.state = 0 AND o.due <= now() FOR NO KEY UPDATE SKIP LOCKED) l) a
ORDER BY place LIMIT 2 * %[1]d)`

	// taken reads the rows, those behind others last, until their bodies are %[4]d bytes. There is
	// a row without a tid if nothing was taken: each says how much was looked at.
	takenRows = `SELECT s.looked, s.last, COALESCE(r.place, 0), COALESCE(r.tid, ''), COALESCE(r.key, ''), COALESCE(r.seq, 0),
COALESCE(r.id, ''), COALESCE(r.exchange, ''), COALESCE(r.routing_key, ''), r.properties, r.body, COALESCE(r.attempts, 0), COALESCE(r.has_job, false)
FROM (SELECT count(*) AS looked, COALESCE(max(key), '') AS last FROM seen) s LEFT JOIN (SELECT * FROM (
SELECT a.place, o.ctid::text AS tid, o.key, o.seq, o.due, o.id, o.exchange, o.routing_key, o.properties, o.body, o.attempts, o.job IS NOT NULL AS has_job,
sum(octet_length(o.body)) OVER (ORDER BY a.place, o.due, o.seq) - octet_length(o.body) AS before
FROM (SELECT 0 AS place, tid FROM free UNION ALL SELECT place, tid FROM ready) a JOIN bunnicula_outbox o ON o.ctid = a.tid) b
WHERE b.before < %[4]d) r ON true ORDER BY r.place, r.due, r.seq`
)

// takeDue is the statement that takes what is due first.
func takeDue(batch, followers int) string { return takeBy(keysOfDue, batch, followers, window*batch) }

// takeKeys is the statement that takes rows of the keys behind $1, and rows without a key.
func takeKeys(batch, followers int) string { return takeBy(keysBehind, batch, followers, keysAtOnce) }

// The numbers stand in the text: with parameters the planner would have to guess them.
func takeBy(keys string, batch, followers, limit int) string {
	return fmt.Sprintf("WITH RECURSIVE "+free+",\n"+keys+",\n"+heads+",\n"+ready+"\n"+takenRows, batch, followers, limit, maxBytes)
}
