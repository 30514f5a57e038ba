-- What runs use of models, and budgets for it. The contract has no place for
-- either.

-- +goose Up

-- One row for each try of a node that called a model. The try is the key, so
-- that a commit that is repeated, and the events of a part that the whole run
-- takes over, count once.
CREATE TABLE IF NOT EXISTS millrace_usage (
    execution_id uuid NOT NULL,
    attempt int NOT NULL,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    run_id uuid NOT NULL,
    node_id text NOT NULL,
    conversation_id uuid,
    by_role text NOT NULL,
    by_id uuid,
    provider text NOT NULL,
    model text NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    total_tokens bigint NOT NULL,
    total_price numeric NOT NULL,
    currency text NOT NULL,
    latency double precision NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (execution_id, attempt)
);

CREATE INDEX IF NOT EXISTS millrace_usage_app_idx ON millrace_usage (tenant_id, app_id, created_at);
CREATE INDEX IF NOT EXISTS millrace_usage_tenant_idx ON millrace_usage (tenant_id, created_at);
CREATE INDEX IF NOT EXISTS millrace_usage_run_idx ON millrace_usage (run_id);

CREATE TABLE IF NOT EXISTS millrace_budgets (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    app_id uuid, -- NULL: the whole workspace
    period text NOT NULL CHECK (period IN ('day', 'month', 'total')),
    tokens bigint CHECK (tokens > 0),
    price numeric CHECK (price > 0),
    currency text NOT NULL,
    action text NOT NULL CHECK (action IN ('stop', 'warn')),
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (tokens IS NOT NULL OR price IS NOT NULL)
);

CREATE INDEX IF NOT EXISTS millrace_budgets_tenant_idx ON millrace_budgets (tenant_id, app_id);

-- What was spent of a budget, for each of its periods.
CREATE TABLE IF NOT EXISTS millrace_budget_spending (
    budget_id uuid NOT NULL REFERENCES millrace_budgets (id) ON DELETE CASCADE,
    period_start timestamptz NOT NULL,
    tenant_id uuid NOT NULL,
    tokens bigint NOT NULL,
    price numeric NOT NULL,
    PRIMARY KEY (budget_id, period_start)
);

-- +goose StatementBegin
-- Periods begin at midnight UTC.
CREATE OR REPLACE FUNCTION millrace_period_v1(period_ text, at_ timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE period_ WHEN 'total' THEN 'epoch'::timestamptz ELSE date_trunc(period_, at_ AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- The first budget by which an app may use no more, as JSON; NULL when there is
-- none.
CREATE OR REPLACE FUNCTION millrace_exceeded_v1(tenant_ uuid, app_ uuid) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    over_ text;
BEGIN
    SELECT json_build_object('id', b.id, 'app_id', coalesce(b.app_id::text, ''), 'period', b.period, 'tokens', coalesce(b.tokens, 0),
        'price', coalesce(trim_scale(b.price)::text, ''), 'currency', b.currency, 'spent_tokens', s.tokens, 'spent_price', trim_scale(s.price)::text,
        'period_start', to_char(s.period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text
    INTO over_
    FROM millrace_budgets b
    JOIN millrace_budget_spending s ON s.budget_id = b.id AND s.period_start = millrace_period_v1(b.period, now())
    WHERE b.tenant_id = tenant_ AND (b.app_id IS NULL OR b.app_id = app_) AND b.action = 'stop' AND (s.tokens >= b.tokens OR s.price >= b.price)
    ORDER BY b.id LIMIT 1;
    RETURN over_;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Refuses the first commit of runs, with MR002, when a budget is used up.
CREATE OR REPLACE FUNCTION millrace_admit_v1(tenants_ uuid[], apps_ uuid[]) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    over_ text;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM millrace_budgets WHERE tenant_id = ANY (tenants_)) THEN
        RETURN;
    END IF;
    FOR i IN 1 .. cardinality(tenants_) LOOP
        over_ := millrace_exceeded_v1(tenants_[i], apps_[i]);
        IF over_ IS NOT NULL THEN
            RAISE EXCEPTION 'a budget is used up' USING ERRCODE = 'MR002', DETAIL = over_;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Meters a commit: stores usage and counts it against the budgets. Before a call
-- of a model (check_) it says when one of them is used up, and marks the run to
-- be stopped, so that whoever has the run next stops it too. The lock keeps commits apart from the making of
-- budgets, whose first sum must miss nothing and count nothing twice.
CREATE OR REPLACE FUNCTION millrace_meter_v1(run_ uuid, tenant_ uuid, usage_ json, check_ boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    app_ uuid;
    over_ text;
BEGIN
    SELECT r.app_id INTO app_ FROM millrace_runs r WHERE r.id = run_ AND r.tenant_id = tenant_;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF usage_ IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock_shared(1836016242, hashtext(tenant_::text));
        WITH fresh AS (
            INSERT INTO millrace_usage AS u (execution_id, attempt, tenant_id, app_id, run_id, node_id, conversation_id, by_role, by_id, provider,
                model, prompt_tokens, completion_tokens, total_tokens, total_price, currency, latency, created_at)
            SELECT x.execution_id, x.attempt, tenant_, app_, x.run_id, x.node_id, x.conversation_id, x.by_role, x.by_id, x.provider,
                x.model, x.prompt_tokens, x.completion_tokens, x.total_tokens, x.total_price, x.currency, x.latency, x.created_at
            FROM json_to_recordset(usage_) AS x(execution_id uuid, attempt int, run_id uuid, node_id text, conversation_id uuid, by_role text,
                by_id uuid, provider text, model text, prompt_tokens bigint, completion_tokens bigint, total_tokens bigint, total_price numeric,
                currency text, latency float8, created_at timestamptz)
            ON CONFLICT DO NOTHING
            RETURNING u.total_tokens, u.total_price, u.currency, u.created_at)
        INSERT INTO millrace_budget_spending AS s (budget_id, period_start, tenant_id, tokens, price)
        SELECT b.id, millrace_period_v1(b.period, f.created_at), tenant_, sum(f.total_tokens),
            coalesce(sum(f.total_price) FILTER (WHERE f.currency = b.currency), 0)
        FROM fresh f JOIN millrace_budgets b ON b.tenant_id = tenant_ AND (b.app_id IS NULL OR b.app_id = app_)
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (budget_id, period_start) DO UPDATE SET tokens = s.tokens + excluded.tokens, price = s.price + excluded.price;
    END IF;
    IF check_ THEN
        over_ := millrace_exceeded_v1(tenant_, app_);
    END IF;
    IF over_ IS NOT NULL THEN
        UPDATE millrace_runs r SET stop_reason = 'budget_exceeded ' || over_
        WHERE r.id = run_ AND r.tenant_id = tenant_ AND r.finished_at IS NULL AND r.stop_reason = '';
    END IF;
    RETURN over_;
END $$;
-- +goose StatementEnd
