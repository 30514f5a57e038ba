-- The first commits of several runs: millrace_begin_many_v1 of
-- 00005_millrace_groups.sql, and millrace_admit_v1 of 00050_millrace_usage.sql
-- before it, with fewer arguments. Each argument is read, kept and sent at a cost
-- of its own, whatever is in it, so the values of a row come by type, in arrays
-- of two dimensions: a row for each run, or node execution, and a column for each
-- value.
--
-- The rows are counted with generate_subscripts because its estimate does not
-- depend on the arguments: plans for these arguments alone then look no better
-- than one for all, which is kept, without a setting that each call would have to
-- make and undo.

-- +goose Up

-- +goose StatementBegin
-- ids_: 1 run, 2 tenant, 3 app, 4 workflow, 5 task, 6 workflow of the row, 7 creator, 8 log, 9 workflow of the log.
-- docs_: 1 spec, 2 events.
-- texts_: 1 queue, 2 status, 3 owner, 4 type, 5 triggered_from, 6 version, 7 graph, 8 inputs, 9 status of the row, 10 outputs, 11 error,
--   12 role of the creator, 13 created_from of the log.
-- nums_: 1 last_seq, 2 first_seq, 3 final (1 or 0), 4 tokens, 5 steps, 6 exceptions.
-- floats_: 1 seconds of the lease, 2 elapsed time.
-- times_: 1 created_at, 2 finished_at, 3 created_at of the log.
-- Runs without a first_seq have no events, without a type no row, without a log no log.
-- node_ids_: 1 id, 2 workflow.
-- node_texts_: 1 triggered_from, 2 node id, 3 type, 4 title, 5 inputs, 6 process_data, 7 outputs, 8 status, 9 error, 10 metadata.
-- node_nums_: 1 the row of the run, counting from 1, 2 index.
-- node_floats_: 1 elapsed time.
-- node_times_: 1 created_at, 2 finished_at.
-- admit_tenants_, admit_apps_: one element for each run whose budgets are looked at first.
CREATE OR REPLACE FUNCTION millrace_begin_many_v2(
    ids_ uuid[], docs_ json[], texts_ text[], nums_ bigint[], floats_ float8[], times_ timestamp[],
    node_ids_ uuid[], node_texts_ text[], node_nums_ bigint[], node_floats_ float8[], node_times_ timestamp[],
    admit_tenants_ uuid[], admit_apps_ uuid[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(admit_tenants_) > 0 THEN
        PERFORM millrace_admit_v1(admit_tenants_, admit_apps_);
    END IF;
    INSERT INTO millrace_runs (id, tenant_id, app_id, workflow_id, task_id, queue, spec, status, last_seq, lease_owner, lease_token,
        lease_expires_at, due_at, finished_at)
    SELECT ids_[i][1], ids_[i][2], ids_[i][3], ids_[i][4], ids_[i][5], texts_[i][1], docs_[i][1], texts_[i][2], nums_[i][1],
        CASE WHEN nums_[i][3] = 0 THEN texts_[i][3] END, 1,
        CASE WHEN nums_[i][3] = 0 THEN now() + make_interval(secs => floats_[i][1]) END,
        CASE WHEN nums_[i][3] = 0 THEN now() + make_interval(secs => floats_[i][1]) END,
        CASE WHEN nums_[i][3] = 1 THEN now() END
    FROM generate_subscripts(ids_, 1) i;
    INSERT INTO run_events (run_id, seq, last_seq, tenant_id, token, events)
    SELECT ids_[i][1], nums_[i][2], nums_[i][1], ids_[i][2], 1, docs_[i][2] FROM generate_subscripts(ids_, 1) i WHERE nums_[i][2] IS NOT NULL;
    INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, status, outputs, error,
        elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at, exceptions_count)
    SELECT ids_[i][1], ids_[i][2], ids_[i][3], ids_[i][6], texts_[i][4], texts_[i][5], texts_[i][6], texts_[i][7], texts_[i][8], texts_[i][9],
        texts_[i][10], texts_[i][11], floats_[i][2], nums_[i][4], nums_[i][5], texts_[i][12], ids_[i][7], times_[i][1], times_[i][2], nums_[i][6]
    FROM generate_subscripts(ids_, 1) i WHERE texts_[i][4] IS NOT NULL;
    INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, index, node_id, node_type,
        title, inputs, process_data, outputs, status, error, elapsed_time, execution_metadata, created_at, created_by_role, created_by,
        finished_at, node_execution_id)
    SELECT node_ids_[i][1], ids_[r][2], ids_[r][3], node_ids_[i][2], node_texts_[i][1], ids_[r][1], node_nums_[i][2], node_texts_[i][2],
        node_texts_[i][3], node_texts_[i][4], node_texts_[i][5], node_texts_[i][6], node_texts_[i][7], node_texts_[i][8], node_texts_[i][9],
        node_floats_[i][1], node_texts_[i][10], node_times_[i][1], texts_[r][12], ids_[r][7], node_times_[i][2], node_ids_[i][1]::text
    FROM (SELECT i, node_nums_[i][1] AS r FROM generate_subscripts(node_ids_, 1) i) n;
    INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role, created_by, created_at)
    SELECT ids_[i][8], ids_[i][2], ids_[i][3], ids_[i][9], ids_[i][1], texts_[i][13], texts_[i][12], ids_[i][7], times_[i][3]
    FROM generate_subscripts(ids_, 1) i WHERE ids_[i][8] IS NOT NULL;
END $$;
-- +goose StatementEnd
