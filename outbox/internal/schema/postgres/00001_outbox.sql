-- +goose Up
-- States: 0 waiting, 1 held, 2 sent, 3 done, 4 parked, 5 failed. 6 is SQLite's.
CREATE TABLE bunnicula_outbox (
    id          text COLLATE "C" PRIMARY KEY, -- the message id
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    key         text COLLATE "C", -- rows with the same key are published in the order of seq
    exchange    text NOT NULL,
    routing_key text NOT NULL,
    properties  bytea NOT NULL, -- JSON
    body        bytea NOT NULL,
    put_at      timestamptz NOT NULL DEFAULT now(),
    due         timestamptz NOT NULL DEFAULT now(), -- not published before
    attempts    integer NOT NULL DEFAULT 0,
    error       text, -- of the last attempt
    state       smallint NOT NULL DEFAULT 0,
    changed     timestamptz NOT NULL DEFAULT now(), -- when state was set
    job         text COLLATE "C",
    needs       text COLLATE "C" -- the id of a row that must be done first
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX bunnicula_outbox_free ON bunnicula_outbox (due, seq) WHERE state = 0 AND key IS NULL;
CREATE INDEX bunnicula_outbox_due ON bunnicula_outbox (due, seq) WHERE state = 0 AND key IS NOT NULL;
CREATE INDEX bunnicula_outbox_key ON bunnicula_outbox (key, seq) WHERE key IS NOT NULL AND state IN (0, 1, 5);
CREATE INDEX bunnicula_outbox_job ON bunnicula_outbox (job, state) WHERE job IS NOT NULL;
CREATE INDEX bunnicula_outbox_needs ON bunnicula_outbox (needs) WHERE state = 1;
CREATE INDEX bunnicula_outbox_failed ON bunnicula_outbox (seq) WHERE state = 5;

CREATE TABLE bunnicula_inbox (
    consumer text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, id)
);

CREATE INDEX bunnicula_inbox_at ON bunnicula_inbox USING brin (at);

-- +goose Down
DROP TABLE bunnicula_inbox;
DROP TABLE bunnicula_outbox;
