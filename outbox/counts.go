package outbox

import "sync/atomic"

// counts are what the relays of a Box in this process have done. Relays add to them.
type counts struct {
	published atomic.Uint64 // rows that were confirmed
	refused   atomic.Uint64 // refusals, several of one row perhaps
	givenUp   atomic.Uint64 // rows that became Failed
	failed    atomic.Uint64 // looks that ended with an error of the database or the connection
}

func (c *counts) add(r results) {
	c.published.Add(uint64(r.confirmed()))
	for o, rows := range r.others {
		c.refused.Add(uint64(len(rows)))
		if o.fate == givenUp {
			c.givenUp.Add(uint64(len(rows)))
		}
	}
}
