-- Parts of large containers are runs of their own; the number of those that are
-- not over is what a workspace has a limit on.

-- +goose Up
CREATE INDEX IF NOT EXISTS millrace_runs_parts_idx ON millrace_runs (tenant_id) WHERE finished_at IS NULL AND (spec -> 'part') IS NOT NULL;
