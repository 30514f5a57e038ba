-- Queues on Postgres. Safe to run twice.
CREATE TABLE IF NOT EXISTS millrace_queues (
    name         text        PRIMARY KEY,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS millrace_queue_messages (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue        text        NOT NULL,
    body         bytea       NOT NULL,
    metadata     json        NOT NULL DEFAULT '{}', -- not jsonb, which refuses the NUL character
    attempts     integer     NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- When a message may be handed out: later than now while it is delayed, or
    -- while the receiver it was handed to still has time to acknowledge it.
    visible_at   timestamptz NOT NULL DEFAULT now(),
    -- Set once a message has used up its attempts; it is then kept for people.
    dead_at      timestamptz
) WITH (
    -- Rows live for seconds: clean up by count, not by share of the table.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000
);

CREATE INDEX IF NOT EXISTS millrace_queue_messages_due
    ON millrace_queue_messages (queue, visible_at, id) WHERE dead_at IS NULL;

CREATE INDEX IF NOT EXISTS millrace_queue_messages_dead
    ON millrace_queue_messages (queue, dead_at) WHERE dead_at IS NOT NULL;
