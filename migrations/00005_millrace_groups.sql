-- The commits of several runs as one: what a process has to write at the same
-- moment goes out together, is one transaction and waits for the disk once. The
-- arguments are columns, one array each, because rows that are inserted by the
-- dozen cost a fraction of rows that are inserted one by one.
--
-- What is said of plans in 00004_millrace_commits.sql holds here too: rows are
-- looked up one by one, by their key, and never by a join whose plan depends on
-- how many there are.

-- +goose Up

-- +goose StatementBegin
-- The first commits of runs: each run with its lease (none if it is over), its
-- first events, and its rows of the contract's tables. Elements that are NULL in
-- first_seq_, type_ and log_ leave their group of columns out. Node executions
-- have columns of their own; node_run_ says whose they are, counting from 1.
CREATE OR REPLACE FUNCTION millrace_begin_many_v1(
    run_ uuid[], tenant_ uuid[], app_ uuid[], workflow_ uuid[], task_ uuid[], queue_ text[], spec_ json[], status_ text[], last_seq_ bigint[],
    owner_ text[], ttl_ float8[], final_ boolean[], first_seq_ bigint[], events_ json[],
    type_ text[], row_workflow_ uuid[], triggered_from_ text[], version_ text[], graph_ text[], inputs_ text[], row_status_ text[],
    outputs_ text[], error_ text[], elapsed_ float8[], tokens_ bigint[], steps_ int[], exceptions_ int[],
    by_role_ text[], by_ uuid[], created_at_ timestamp[], finished_at_ timestamp[],
    log_ uuid[], log_workflow_ uuid[], log_from_ text[], log_at_ timestamp[],
    node_run_ int[], node_ uuid[], node_workflow_ uuid[], node_from_ text[], node_index_ int[], node_id_ text[], node_type_ text[],
    node_title_ text[], node_inputs_ text[], node_process_ text[], node_outputs_ text[], node_status_ text[], node_error_ text[],
    node_elapsed_ float8[], node_metadata_ text[], node_created_at_ timestamp[], node_finished_at_ timestamp[])
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    runs_ int := cardinality(run_);
    nodes_ int := cardinality(node_);
BEGIN
    INSERT INTO millrace_runs (id, tenant_id, app_id, workflow_id, task_id, queue, spec, status, last_seq, lease_owner, lease_token,
        lease_expires_at, due_at, finished_at)
    SELECT run_[i], tenant_[i], app_[i], workflow_[i], task_[i], queue_[i], spec_[i], status_[i], last_seq_[i],
        CASE WHEN NOT final_[i] THEN owner_[i] END, 1,
        CASE WHEN NOT final_[i] THEN now() + make_interval(secs => ttl_[i]) END,
        CASE WHEN NOT final_[i] THEN now() + make_interval(secs => ttl_[i]) END,
        CASE WHEN final_[i] THEN now() END
    FROM generate_series(1, runs_) i;
    INSERT INTO run_events (run_id, seq, last_seq, tenant_id, token, events)
    SELECT run_[i], first_seq_[i], last_seq_[i], tenant_[i], 1, events_[i] FROM generate_series(1, runs_) i WHERE first_seq_[i] IS NOT NULL;
    INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, status, outputs, error,
        elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at, exceptions_count)
    SELECT run_[i], tenant_[i], app_[i], row_workflow_[i], type_[i], triggered_from_[i], version_[i], graph_[i], inputs_[i], row_status_[i],
        outputs_[i], error_[i], elapsed_[i], tokens_[i], steps_[i], by_role_[i], by_[i], created_at_[i], finished_at_[i], exceptions_[i]
    FROM generate_series(1, runs_) i WHERE type_[i] IS NOT NULL;
    IF nodes_ > 0 THEN
        INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, index, node_id, node_type,
            title, inputs, process_data, outputs, status, error, elapsed_time, execution_metadata, created_at, created_by_role, created_by,
            finished_at, node_execution_id)
        SELECT node_[i], tenant_[node_run_[i]], app_[node_run_[i]], node_workflow_[i], node_from_[i], run_[node_run_[i]], node_index_[i],
            node_id_[i], node_type_[i], node_title_[i], node_inputs_[i], node_process_[i], node_outputs_[i], node_status_[i], node_error_[i],
            node_elapsed_[i], node_metadata_[i], node_created_at_[i], by_role_[node_run_[i]], by_[node_run_[i]], node_finished_at_[i],
            node_[i]::text
        FROM generate_series(1, nodes_) i;
    END IF;
    INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role, created_by, created_at)
    SELECT log_[i], tenant_[i], app_[i], log_workflow_[i], run_[i], log_from_[i], by_role_[i], by_[i], log_at_[i]
    FROM generate_series(1, runs_) i WHERE log_[i] IS NOT NULL;
END $$;
-- +goose StatementEnd
