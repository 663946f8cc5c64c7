-- The audit and lineage store of Tapewatch.
--
-- What it promises:
--   * one call, one transaction: analytics.record_pipeline_run(payload) writes a run with all its
--     artifacts, KPI values and quality results, or nothing at all;
--   * the same payload may arrive any number of times: it is stored once, and the same link comes back;
--   * append-only: what is stored is never changed and never deleted;
--   * tamper-evident: every run adds one link to a SHA-256 chain over all that is stored of it.
--
-- What it needs: PostgreSQL 14 or later, the roles that every Supabase project has (anon,
-- authenticated, service_role), no extension, no superuser.

create schema if not exists analytics;
comment on schema analytics is 'Audit and lineage of Tapewatch: append-only, written by one function.';

-- ------------------------------------------------------------------ tables

-- One row a run: a sealed one by its run id, one that published nothing by its attempt's id.
create table analytics.pipeline_runs (
  run_id            uuid primary key,
  pipeline          text not null check (pipeline <> ''),
  environment       text not null check (environment in ('production', 'staging', 'development')),
  portfolio         text not null check (portfolio <> ''),
  status            text not null check (status in ('success', 'failed', 'canceled', 'abandoned')),
  as_of             date,                              -- the day the values are of
  attempt_id        text not null,                     -- names the log folder
  started_at        timestamptz not null,
  ended_at          timestamptz,                       -- null: it died without a word
  run_folder        text,                              -- under data/runs
  manifest_sha256   text check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  sql_sha256        text check (sql_sha256 ~ '^[0-9a-f]{64}$'),
  contract_version  text,
  config_version    text check (config_version ~ '^[0-9a-f]{64}$'),  -- sha256 of settings
  settings          jsonb,                             -- those that change a value
  pii_key_id        text,
  git_sha           text,                              -- or the version that was installed
  previous_run      text,                              -- the run folder it was compared with
  supersedes        jsonb,                             -- run ids of the same day, sealed before
  accepted_anomaly  jsonb,                             -- which refused run was let pass, and why
  error             jsonb,                             -- code, message, fix
  ledger_seen_seq   bigint,                            -- the newest link known when it was sealed
  ledger_seen_hash  text,
  payload_sha256    text not null,
  constraint ends_after_it_starts check (ended_at >= started_at),
  constraint a_success_is_whole check (status <> 'success' or (
    ended_at is not null and as_of is not null and run_folder is not null and error is null
    and manifest_sha256 is not null and sql_sha256 is not null and contract_version is not null
    and config_version is not null and settings is not null and pii_key_id is not null
    and git_sha is not null)),
  constraint a_failure_says_why check (status = 'success' or error is not null)
);
create index pipeline_runs_started_at on analytics.pipeline_runs (started_at desc);

-- One row a file that came in, byte for byte as it is kept.
create table analytics.raw_artifacts (
  artifact_id  uuid primary key,
  run_id       uuid not null references analytics.pipeline_runs on delete restrict,
  endpoint     text not null check (endpoint <> ''),  -- file, drop_folder or cascade
  name         text not null,
  sha256       text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  storage_uri  text not null,                         -- under data/
  row_count    bigint check (row_count >= 0),         -- null: it holds several tables, or none
  byte_count   bigint not null check (byte_count >= 0),
  unique (run_id, sha256, name)
);
create index raw_artifacts_sha256 on analytics.raw_artifacts (sha256);

-- One row a KPI of a run.
create table analytics.kpi_values (
  run_id              uuid not null references analytics.pipeline_runs on delete restrict,
  kpi_name            text not null check (kpi_name <> ''),
  segment             text not null,                  -- 'all': the whole book
  as_of               date not null,
  value               numeric,                        -- null: it cannot be known, reason says why
  unit                text not null,
  status              text not null check (status in ('ok', 'warning', 'critical', 'unknown')),
  basis               text not null,                  -- what of the tape it was worked out from
  numerator           numeric,
  denominator         numeric,
  direction           text not null check (direction in ('lower', 'higher', 'none')),
  warning_threshold   numeric,
  critical_threshold  numeric,
  reason              text,
  definition_sha256   text not null check (definition_sha256 ~ '^[0-9a-f]{64}$'),
  primary key (run_id, kpi_name, segment),
  constraint no_value_has_a_reason check ((value is null) = (reason is not null)),
  constraint no_value_is_unknown check ((value is null) = (status = 'unknown'))
);
create index kpi_values_series on analytics.kpi_values (kpi_name, segment, as_of desc);

-- One row a check of a run; observed is how many rows were bad.
create table analytics.data_quality_results (
  run_id      uuid not null references analytics.pipeline_runs on delete restrict,
  check_name  text not null check (check_name <> ''),
  level       text not null check (level in ('blocking', 'quarantine', 'warning')),
  status      text not null check (status in ('pass', 'warn', 'fail')),
  observed    bigint not null check (observed >= 0),
  details     jsonb,
  primary key (run_id, check_name)
);

-- One link a run, in the order in which they arrived.
create table analytics.audit_ledger (
  seq          bigint primary key check (seq > 0),
  run_id       uuid not null unique references analytics.pipeline_runs on delete restrict,
  run_digest   bytea not null,                        -- over everything stored of the run
  prev_hash    bytea not null,
  entry_hash   bytea not null unique,                 -- receipts, exports and later runs carry it
  recorded_at  timestamptz not null
);

-- Every function here looks for names in pg_catalog first and in pg_temp last. An empty search path
-- would look for types in pg_temp first, where any login may make a jsonb of its own.

-- ------------------------------------------------------------------ append-only, for the owner too

create function analytics.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'analytics.% is append-only: % refused', tg_table_name, tg_op using errcode = 'PT403';
end $$;

do $$
declare
  v_table text;
begin
  foreach v_table in array array[
    'pipeline_runs', 'raw_artifacts', 'kpi_values', 'data_quality_results', 'audit_ledger'] loop
    execute format('create trigger no_change before update or delete on analytics.%I
                    for each row execute function analytics.refuse_change()', v_table);
    -- row level security does not stop a truncate
    execute format('create trigger no_truncate before truncate on analytics.%I
                    for each statement execute function analytics.refuse_change()', v_table);
  end loop;
end $$;

-- ------------------------------------------------------------------ the chain

-- A row without its nulls: a nullable column added later leaves the digest of old runs as it is.
create function analytics.told(p_row jsonb) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select p_row - array(select key from jsonb_each(p_row) where value = 'null')
$$;

-- The hash of every column of every row that is stored of a run.
create function analytics.run_digest(p_run_id uuid) returns bytea
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' as $$
  select sha256(convert_to(jsonb_build_array(
    (select analytics.told(to_jsonb(r)) from analytics.pipeline_runs r where r.run_id = p_run_id),
    (select jsonb_agg(analytics.told(to_jsonb(a)) order by a.artifact_id)
       from analytics.raw_artifacts a where a.run_id = p_run_id),
    (select jsonb_agg(analytics.told(to_jsonb(k)) order by k.kpi_name collate "C", k.segment collate "C")
       from analytics.kpi_values k where k.run_id = p_run_id),
    (select jsonb_agg(analytics.told(to_jsonb(q)) order by q.check_name collate "C")
       from analytics.data_quality_results q where q.run_id = p_run_id)
  )::text, 'UTF8'))
$$;

create function analytics.ledger_hash(
  p_seq bigint, p_run_id uuid, p_digest bytea, p_prev_hash bytea, p_recorded_at timestamptz
) returns bytea
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select sha256(p_prev_hash || p_digest || convert_to(
    p_seq::text || '|' || p_run_id::text || '|' || extract(epoch from p_recorded_at)::text, 'UTF8'))
$$;

-- Every way in which the links after p_since, and what is stored of their runs, are not what was
-- recorded; no row means sound. Whoever removes the newest run together with its link, or writes
-- the whole chain anew, is found by the receipts: `tapewatch audit verify` compares them.
create function analytics.verify_audit_chain(p_since bigint default 0)
returns table (seq bigint, run_id uuid, problem text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with link as (
    select e.*, lag(e.seq) over (order by e.seq) as seq_before,
           lag(e.entry_hash) over (order by e.seq) as hash_before
      from analytics.audit_ledger e
  )
  select l.seq, l.run_id, found.problem
    from (select * from link where link.seq > p_since) l
   cross join lateral (values
     (case when l.seq <> coalesce(l.seq_before, 0) + 1 then 'a link before this one is missing' end),
     (case when l.prev_hash <> coalesce(l.hash_before, '\x') then 'it does not continue the link before' end),
     (case when l.entry_hash <> analytics.ledger_hash(l.seq, l.run_id, l.run_digest, l.prev_hash, l.recorded_at)
           then 'the link was altered' end),
     (case when l.run_digest <> analytics.run_digest(l.run_id) then 'what is stored of the run was altered' end)
   ) found (problem)
   where found.problem is not null
  union all
  select null, r.run_id, 'the run has no link'
    from (select run_id from analytics.pipeline_runs
          union select run_id from analytics.raw_artifacts
          union select run_id from analytics.kpi_values
          union select run_id from analytics.data_quality_results) r
   where not exists (select from analytics.audit_ledger e where e.run_id = r.run_id)
$$;

-- ------------------------------------------------------------------ the one write path

-- payload: {"schema_version": 1, "run": {...}, "raw_artifacts": [...], "kpi_values": [...],
-- "data_quality_results": [...]}, each object with the columns of its table. With "dry_run": true
-- all of it is done and rolled back. PT409: the run is stored with other facts. PT422: no run can
-- be stored from this payload. PT501: a later migration is needed for it.
create function analytics.record_pipeline_run(payload jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set lock_timeout = '10s' as $$
declare
  v_sent     jsonb;
  v_sha256   text;
  v_run      analytics.pipeline_runs;
  v_known    text;
  v_unknown  text;
  v_head     analytics.audit_ledger;
  v_link     analytics.audit_ledger;
  v_answer   jsonb;
  v_key      text;
begin
  if jsonb_typeof(payload) is distinct from 'object' or jsonb_typeof(payload -> 'run') is distinct from 'object' then
    raise exception 'a payload is an object with an object "run"' using errcode = 'PT422';
  end if;
  if jsonb_typeof(payload -> 'dry_run') <> 'boolean' then  -- "true" would be stored in earnest
    raise exception 'dry_run is true or false, not %', payload -> 'dry_run' using errcode = 'PT422';
  end if;
  v_sent   := payload - 'dry_run';
  v_sha256 := encode(sha256(convert_to(v_sent::text, 'UTF8')), 'hex');
  if v_sent -> 'schema_version' is distinct from '1' then
    raise exception 'payload schema_version % is not known', v_sent -> 'schema_version' using errcode = 'PT501';
  end if;

  begin  -- what fails in here is undone, a dry run too
    -- a key that no column has would be lost without a word
    select string_agg(format('%s.%s', part.name, key), ', ') into v_unknown
      from (values
        ('payload', jsonb_build_array(v_sent),
         '{"schema_version": 0, "run": 0, "raw_artifacts": 0, "kpi_values": 0, "data_quality_results": 0}'::jsonb),
        ('run', jsonb_build_array(v_sent -> 'run'),
         to_jsonb(jsonb_populate_record(null::analytics.pipeline_runs, '{}')) - 'payload_sha256'),
        ('raw_artifacts', v_sent -> 'raw_artifacts',
         to_jsonb(jsonb_populate_record(null::analytics.raw_artifacts, '{}')) - 'run_id'),
        ('kpi_values', v_sent -> 'kpi_values',
         to_jsonb(jsonb_populate_record(null::analytics.kpi_values, '{}')) - 'run_id'),
        ('data_quality_results', v_sent -> 'data_quality_results',
         to_jsonb(jsonb_populate_record(null::analytics.data_quality_results, '{}')) - 'run_id')
      ) part (name, items, known)
     cross join lateral jsonb_array_elements(coalesce(part.items, '[]')) item
     cross join lateral jsonb_object_keys(item) key
     where not part.known ? key;
    if v_unknown is not null then
      raise exception 'no column takes %', v_unknown using errcode = 'PT501';
    end if;

    v_run := jsonb_populate_record(
      null::analytics.pipeline_runs, (v_sent -> 'run') || jsonb_build_object('payload_sha256', v_sha256));

    -- One writer at a time, for the chain is one list. The lock ends with the transaction, which
    -- keeps it safe behind a transaction pooler.
    perform pg_advisory_xact_lock(hashtextextended('analytics.audit_ledger', 0));

    select r.payload_sha256 into v_known from analytics.pipeline_runs r where r.run_id = v_run.run_id;
    if v_known is null then
      insert into analytics.pipeline_runs select v_run.*;
      insert into analytics.raw_artifacts
        select (jsonb_populate_record(null::analytics.raw_artifacts,
                  item || jsonb_build_object('run_id', v_run.run_id))).*
          from jsonb_array_elements(coalesce(v_sent -> 'raw_artifacts', '[]')) item;
      insert into analytics.kpi_values
        select (jsonb_populate_record(null::analytics.kpi_values,
                  item || jsonb_build_object('run_id', v_run.run_id))).*
          from jsonb_array_elements(coalesce(v_sent -> 'kpi_values', '[]')) item;
      insert into analytics.data_quality_results
        select (jsonb_populate_record(null::analytics.data_quality_results,
                  item || jsonb_build_object('run_id', v_run.run_id))).*
          from jsonb_array_elements(coalesce(v_sent -> 'data_quality_results', '[]')) item;

      select * into v_head from analytics.audit_ledger e order by e.seq desc limit 1;
      v_link.seq         := coalesce(v_head.seq, 0) + 1;
      v_link.run_id      := v_run.run_id;
      v_link.run_digest  := analytics.run_digest(v_run.run_id);
      v_link.prev_hash   := coalesce(v_head.entry_hash, '\x');
      v_link.recorded_at := clock_timestamp();
      v_link.entry_hash  := analytics.ledger_hash(
        v_link.seq, v_link.run_id, v_link.run_digest, v_link.prev_hash, v_link.recorded_at);
      insert into analytics.audit_ledger select v_link.*;
    elsif v_known <> v_sha256 then
      raise exception 'run % is stored with other facts', v_run.run_id using errcode = 'PT409';
    else
      select * into strict v_link from analytics.audit_ledger e where e.run_id = v_run.run_id;
    end if;

    v_answer := jsonb_build_object(
      'run_id', v_run.run_id, 'created', v_known is null, 'ledger_seq', v_link.seq,
      'ledger_hash', encode(v_link.entry_hash, 'hex'), 'recorded_at', v_link.recorded_at);
    if payload @> '{"dry_run": true}' then
      raise exception 'undo' using errcode = 'PT200';
    end if;
  exception
    when sqlstate 'PT200' then
      v_answer := v_answer || '{"dry_run": true}';
    when unique_violation then
      get stacked diagnostics v_key = constraint_name;
      if v_key in ('audit_ledger_pkey', 'pipeline_runs_pkey') then  -- an old snapshot: not for good
        raise exception 'another run was stored meanwhile' using errcode = 'serialization_failure';
      end if;
      raise exception 'no run can be stored from this payload: %', sqlerrm using errcode = 'PT422';
    when data_exception or integrity_constraint_violation or no_data_found then
      raise exception 'no run can be stored from this payload: %', sqlerrm using errcode = 'PT422';
  end;
  return v_answer;
end $$;
comment on function analytics.record_pipeline_run(jsonb) is
  'Stores one run with its artifacts, KPI values and quality results, once. PT409: stored with other facts. PT422: bad payload. PT501: migrate.';

-- ------------------------------------------------------------------ who may do what

alter table analytics.pipeline_runs        enable row level security;
alter table analytics.raw_artifacts        enable row level security;
alter table analytics.kpi_values           enable row level security;
alter table analytics.data_quality_results enable row level security;
alter table analytics.audit_ledger         enable row level security;

-- Nothing for anon and authenticated: row level security hides every row, the grants below are a
-- second lock. service_role bypasses it on Supabase, but a login that is only a member of
-- service_role does not: without these policies it would see no row and no error.
create policy service_role_reads on analytics.pipeline_runs        for select to service_role using (true);
create policy service_role_reads on analytics.raw_artifacts        for select to service_role using (true);
create policy service_role_reads on analytics.kpi_values           for select to service_role using (true);
create policy service_role_reads on analytics.data_quality_results for select to service_role using (true);
create policy service_role_reads on analytics.audit_ledger         for select to service_role using (true);

revoke all on schema analytics from public;
revoke all on all tables in schema analytics from public, anon, authenticated, service_role;
revoke all on all functions in schema analytics from public, anon, authenticated, service_role;

grant usage on schema analytics to service_role;
grant select on all tables in schema analytics to service_role;
grant execute on function
  analytics.record_pipeline_run(jsonb), analytics.verify_audit_chain(bigint), analytics.run_digest(uuid),
  analytics.told(jsonb), analytics.ledger_hash(bigint, uuid, bytea, bytea, timestamptz)
to service_role;
