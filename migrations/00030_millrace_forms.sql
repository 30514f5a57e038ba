-- What forms owe: mails that are not sent yet, and wake-ups of runs whose form
-- was submitted. The contract has no place for either; both are written with the
-- form or the submission and are gone once done.

-- +goose Up

CREATE TABLE IF NOT EXISTS millrace_form_mails (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    form_id uuid NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    -- Nobody may send it before: somebody else does, or the last try failed.
    due_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS millrace_form_mails_due_idx ON millrace_form_mails (due_at);
CREATE INDEX IF NOT EXISTS millrace_form_mails_form_idx ON millrace_form_mails (form_id);

CREATE TABLE IF NOT EXISTS millrace_form_wakes (
    form_id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    submitted_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS millrace_form_wakes_submitted_at_idx ON millrace_form_wakes (submitted_at);
