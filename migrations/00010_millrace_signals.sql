-- +goose Up
-- A signal says that what a paused run waits for may have happened. It is kept
-- with the run so that one which comes just before the run is suspended counts.
ALTER TABLE millrace_runs ADD COLUMN IF NOT EXISTS signalled boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE millrace_runs DROP COLUMN IF EXISTS signalled;
