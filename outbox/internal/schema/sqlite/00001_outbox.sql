-- +goose Up
-- Times are microseconds since 1970.
-- States: 0 waiting, 1 held, 2 sent, 3 done, 4 parked, 5 failed, 6 taken by the relay that has the lease.
CREATE TABLE bunnicula_outbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE, -- the message id
    key         TEXT, -- rows with the same key are published in the order of seq
    exchange    TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    properties  BLOB NOT NULL, -- JSON
    body        BLOB NOT NULL,
    put_at      INTEGER NOT NULL,
    due         INTEGER NOT NULL, -- not published before
    attempts    INTEGER NOT NULL DEFAULT 0,
    error       TEXT, -- of the last attempt
    state       INTEGER NOT NULL DEFAULT 0,
    changed     INTEGER NOT NULL, -- when state was set
    job         TEXT,
    needs       TEXT -- the id of a row that must be done first
);

CREATE INDEX bunnicula_outbox_free ON bunnicula_outbox (due, seq) WHERE state = 0 AND key IS NULL;
CREATE INDEX bunnicula_outbox_due ON bunnicula_outbox (due, seq) WHERE state = 0 AND key IS NOT NULL;
CREATE INDEX bunnicula_outbox_key ON bunnicula_outbox (key, seq) WHERE key IS NOT NULL AND state IN (0, 1, 5, 6);
CREATE INDEX bunnicula_outbox_job ON bunnicula_outbox (job, state) WHERE job IS NOT NULL;
CREATE INDEX bunnicula_outbox_needs ON bunnicula_outbox (needs) WHERE state = 1;
CREATE INDEX bunnicula_outbox_failed ON bunnicula_outbox (seq) WHERE state = 5;
CREATE INDEX bunnicula_outbox_taken ON bunnicula_outbox (seq) WHERE state = 6;

CREATE TABLE bunnicula_inbox (
    consumer TEXT NOT NULL,
    id       TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (consumer, id)
) WITHOUT ROWID;

CREATE INDEX bunnicula_inbox_at ON bunnicula_inbox (at);

-- One relay at a time publishes.
CREATE TABLE bunnicula_relay (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
);

-- +goose Down
DROP TABLE bunnicula_relay;
DROP TABLE bunnicula_inbox;
DROP TABLE bunnicula_outbox;
