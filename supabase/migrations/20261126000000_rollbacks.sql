-- A rollback is no run: it has a row of its own, with the facts of the run that is served again.
--
-- pipeline is 'rollback', previous_run what was served before, supersedes the run folders that were
-- taken back, decision why. The digests of all that is stored stay as they are: a null is not told.

alter table analytics.pipeline_runs
  add column decision jsonb;                           -- what a person decided, and why

alter table analytics.pipeline_runs
  add constraint a_rollback_says_why check (
    pipeline <> 'rollback' or coalesce(decision ->> 'reason', '') <> '');
