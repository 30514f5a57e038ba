-- The commits of the run protocol as functions. A commit is then one statement,
-- and its inner statements are planned once for each server process instead of
-- with every commit: statements that a session prepares would do the same, but
-- do not survive a transaction pooler.
--
-- The plans of functions are kept while tables grow. So what looks rows up here
-- must not be planned by what a small table makes cheap: sequential and bitmap
-- scans are off, and columns that only guard are compared with IS NOT DISTINCT
-- FROM, which uses no index.
--
-- Processes of two releases work on one database for a while: a function whose
-- arguments or meaning change gets a new name, and the old one stays.

-- +goose Up

-- +goose StatementBegin
-- Rows of workflow_node_executions: new ones and the ends of earlier ones, as
-- JSON arrays or NULL.
CREATE OR REPLACE FUNCTION millrace_nodes_v1(run_ uuid, tenant_ uuid, app_ uuid, new_ json, ended_ json, by_role_ text, by_ uuid)
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    x record;
BEGIN
    IF new_ IS NOT NULL THEN
        INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, index, node_id, node_type,
            title, inputs, process_data, outputs, status, error, elapsed_time, execution_metadata, created_at, created_by_role, created_by,
            finished_at, node_execution_id)
        SELECT n.id, tenant_, app_, n.workflow_id, n.triggered_from, run_, n.index, n.node_id, n.node_type,
            n.title, n.inputs, n.process_data, n.outputs, n.status, n.error, n.elapsed_time, n.execution_metadata, n.created_at, by_role_, by_,
            n.finished_at, n.id::text
        FROM json_to_recordset(new_) AS n(id uuid, workflow_id uuid, triggered_from text, index int, node_id text, node_type text,
            title text, inputs text, process_data text, outputs text, status text, error text, elapsed_time float8, execution_metadata text,
            created_at timestamp, finished_at timestamp);
    END IF;
    IF ended_ IS NOT NULL THEN
        FOR x IN SELECT * FROM json_to_recordset(ended_) AS n(id uuid, inputs text, process_data text, outputs text, status text,
            error text, elapsed_time float8, execution_metadata text, finished_at timestamp)
        LOOP
            UPDATE workflow_node_executions e SET inputs = x.inputs, process_data = x.process_data, outputs = x.outputs, status = x.status,
                error = x.error, elapsed_time = x.elapsed_time, execution_metadata = x.execution_metadata, finished_at = x.finished_at
            WHERE e.id = x.id AND e.workflow_run_id IS NOT DISTINCT FROM run_ AND e.tenant_id IS NOT DISTINCT FROM tenant_;
        END LOOP;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- The first commit of a run: the run with its lease (none if it is over), its
-- first events, and its rows of the contract's tables. An argument group that
-- starts with NULL is left out.
CREATE OR REPLACE FUNCTION millrace_begin_v1(
    run_ uuid, tenant_ uuid, app_ uuid, workflow_ uuid, task_ uuid, queue_ text, spec_ json, status_ text, last_seq_ bigint,
    owner_ text, ttl_ float8, final_ boolean, first_seq_ bigint, events_ json,
    type_ text, row_workflow_ uuid, triggered_from_ text, version_ text, graph_ text, inputs_ text, row_status_ text,
    outputs_ text, error_ text, elapsed_ float8, tokens_ bigint, steps_ int, exceptions_ int,
    by_role_ text, by_ uuid, created_at_ timestamp, finished_at_ timestamp,
    nodes_ json,
    log_ uuid, log_workflow_ uuid, log_from_ text, log_at_ timestamp)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    until_ timestamptz;
BEGIN
    IF NOT final_ THEN
        until_ := now() + make_interval(secs => ttl_);
    END IF;
    INSERT INTO millrace_runs (id, tenant_id, app_id, workflow_id, task_id, queue, spec, status, last_seq, lease_owner, lease_token,
        lease_expires_at, due_at, finished_at)
    VALUES (run_, tenant_, app_, workflow_, task_, queue_, spec_, status_, last_seq_, CASE WHEN final_ THEN NULL ELSE owner_ END, 1,
        until_, until_, CASE WHEN final_ THEN now() END);
    IF first_seq_ IS NOT NULL THEN
        INSERT INTO run_events (run_id, seq, last_seq, tenant_id, token, events) VALUES (run_, first_seq_, last_seq_, tenant_, 1, events_);
    END IF;
    IF type_ IS NOT NULL THEN
        INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, status, outputs, error,
            elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at, exceptions_count)
        VALUES (run_, tenant_, app_, row_workflow_, type_, triggered_from_, version_, graph_, inputs_, row_status_, outputs_, error_,
            elapsed_, tokens_, steps_, by_role_, by_, created_at_, finished_at_, exceptions_);
    END IF;
    IF nodes_ IS NOT NULL THEN
        INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, index, node_id, node_type,
            title, inputs, process_data, outputs, status, error, elapsed_time, execution_metadata, created_at, created_by_role, created_by,
            finished_at, node_execution_id)
        SELECT n.id, tenant_, app_, n.workflow_id, n.triggered_from, run_, n.index, n.node_id, n.node_type,
            n.title, n.inputs, n.process_data, n.outputs, n.status, n.error, n.elapsed_time, n.execution_metadata, n.created_at, by_role_, by_,
            n.finished_at, n.id::text
        FROM json_to_recordset(nodes_) AS n(id uuid, workflow_id uuid, triggered_from text, index int, node_id text, node_type text,
            title text, inputs text, process_data text, outputs text, status text, error text, elapsed_time float8, execution_metadata text,
            created_at timestamp, finished_at timestamp);
    END IF;
    IF log_ IS NOT NULL THEN
        INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role, created_by, created_at)
        VALUES (log_, tenant_, app_, log_workflow_, run_, log_from_, by_role_, by_, log_at_);
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- A later commit: renews the lease, or fails with MR001 when it is lost, and
-- appends events and rows. The times of the lease change only when a good part
-- of it is over: an unchanged due_at keeps the update cheap. Returns the reason
-- when somebody asked the run to stop.
CREATE OR REPLACE FUNCTION millrace_append_v1(
    run_ uuid, tenant_ uuid, token_ bigint, after_ bigint, last_seq_ bigint, status_ text, ttl_ float8, final_ boolean,
    first_seq_ bigint, events_ json, nodes_ json, ended_ json, by_role_ text, by_ uuid,
    end_status_ text, outputs_ text, error_ text, elapsed_ float8, tokens_ bigint, steps_ int, exceptions_ int, finished_at_ timestamp)
RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    app_ uuid;
    stop_ text;
BEGIN
    UPDATE millrace_runs r SET last_seq = last_seq_, status = CASE WHEN status_ = '' THEN r.status ELSE status_ END,
        lease_owner = CASE WHEN final_ THEN NULL ELSE r.lease_owner END,
        lease_expires_at = CASE WHEN final_ THEN NULL
            WHEN r.lease_expires_at < now() + make_interval(secs => ttl_ * 2 / 3) THEN now() + make_interval(secs => ttl_)
            ELSE r.lease_expires_at END,
        due_at = CASE WHEN final_ THEN NULL
            WHEN r.lease_expires_at < now() + make_interval(secs => ttl_ * 2 / 3) THEN now() + make_interval(secs => ttl_)
            ELSE r.due_at END,
        finished_at = CASE WHEN final_ THEN now() END
    WHERE r.id = run_ AND r.tenant_id = tenant_ AND r.lease_token = token_ AND r.lease_owner IS NOT NULL AND r.last_seq = after_
    RETURNING r.app_id, r.stop_reason INTO app_, stop_;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease is lost' USING ERRCODE = 'MR001';
    END IF;
    IF first_seq_ IS NOT NULL THEN
        INSERT INTO run_events (run_id, seq, last_seq, tenant_id, token, events) VALUES (run_, first_seq_, last_seq_, tenant_, token_, events_);
    END IF;
    IF nodes_ IS NOT NULL OR ended_ IS NOT NULL THEN
        PERFORM millrace_nodes_v1(run_, tenant_, app_, nodes_, ended_, by_role_, by_);
    END IF;
    IF end_status_ IS NOT NULL THEN
        UPDATE workflow_runs w SET status = end_status_, outputs = outputs_, error = error_, elapsed_time = elapsed_, total_tokens = tokens_,
            total_steps = steps_, exceptions_count = exceptions_, finished_at = finished_at_
        WHERE w.id = run_ AND w.tenant_id IS NOT DISTINCT FROM tenant_;
    END IF;
    RETURN stop_;
END $$;
-- +goose StatementEnd
