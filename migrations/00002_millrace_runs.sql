-- The durable run protocol: runs with their lease, their journal, and the
-- messages that wake workers up.

-- +goose Up

CREATE TABLE IF NOT EXISTS millrace_runs (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    task_id uuid NOT NULL,
    queue text NOT NULL,
    spec json NOT NULL,
    status text NOT NULL,
    stop_reason text NOT NULL DEFAULT '',
    last_seq bigint NOT NULL,
    lease_owner text,
    lease_token bigint NOT NULL,
    lease_expires_at timestamptz,
    -- When somebody should look at the run: the lease ends, a timer fires. NULL
    -- when the run is over.
    due_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
) WITH (fillfactor = 85);

CREATE INDEX IF NOT EXISTS millrace_runs_due_idx ON millrace_runs (due_at) WHERE due_at IS NOT NULL;

-- One row is one commit: the events seq to last_seq as a JSON array. The type is
-- json because the order of keys in the values is part of them.
CREATE TABLE IF NOT EXISTS run_events (
    run_id uuid NOT NULL,
    seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    tenant_id uuid NOT NULL,
    token bigint NOT NULL,
    events json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE IF NOT EXISTS millrace_outbox (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    queue text NOT NULL,
    attributes json,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Whoever relays the message has until then.
    claimed_until timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS millrace_inbox (
    consumer text NOT NULL,
    message_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);

CREATE INDEX IF NOT EXISTS millrace_inbox_created_at_idx ON millrace_inbox (created_at);
