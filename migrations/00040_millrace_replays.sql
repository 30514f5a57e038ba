-- Runs that were made from other runs: which one, from where on, and the batch
-- that asked for them. The contract has no place for any of it.

-- +goose Up

CREATE TABLE IF NOT EXISTS millrace_replay_batches (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    from_node text NOT NULL,
    queue text NOT NULL,
    at_once int NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS millrace_replay_batches_app_idx ON millrace_replay_batches (tenant_id, app_id, created_at);

CREATE TABLE IF NOT EXISTS millrace_run_origins (
    -- The new run. In a batch the row is there before the run is.
    run_id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    origin_run_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    from_node text NOT NULL,
    batch_id uuid,
    position int NOT NULL,
    -- Why there will be no run; empty when there is one.
    refused text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS millrace_run_origins_origin_idx ON millrace_run_origins (tenant_id, origin_run_id, created_at);
CREATE INDEX IF NOT EXISTS millrace_run_origins_batch_idx ON millrace_run_origins (batch_id) WHERE batch_id IS NOT NULL;
