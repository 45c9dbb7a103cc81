package snapshot

import "time"

// Row is what lists show of a parked message.
type Row struct {
	Position int    // in the queue at the time of reading, from 1
	Mark     string // see Snapshot.Row
	ID       string

	Reason, Group, Error, Type string
	Consumer, App, Version     string
	Host, Target, RedriveID    string

	FirstFailedAt time.Time // zero if unknown, as the other times
	FailedAt      time.Time
	Published     time.Time // the property timestamp; the year may be beyond 9999
	Since         time.Time // to which ages are compared: FailedAt, or else Published

	Size int  // of the body, in bytes
	Kept bool // Snapshot.Message has the message
	Gone bool // it is no longer in the queue: see Reading.Settled
}

// Page is a part of a list.
type Page struct {
	Offset int // rows before the first one; below 0 is 0
	Limit  int // most rows; 0 or less is 50
}

const defaultLimit = 50
