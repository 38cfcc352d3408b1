-- The public face (docs: what is stored). Words are those of the program's enumerations.
set local search_path = ironcron, pg_temp;

create or replace function at_ms(p_ms bigint) returns timestamptz language sql immutable as $$
    select timestamptz '1970-01-01 00:00:00+00' + p_ms * interval '1 millisecond'
$$;

create or replace view job_runs as
select r.run_id, j.name as job, at_ms(r.due_at) as due_at, r.attempt,
       (array['schedule', 'catchup', 'retry', 'manual', 'backfill'])[r.trigger + 1] as trigger,
       (array['STARTED', 'SUCCESS', 'FAILED', 'TIMED_OUT', 'LOST', 'CANCELLED', 'DRY_RUN'])[r.state + 1] as state,
       n.node, r.fence, at_ms(r.started_at) as started_at, at_ms(r.ended_at) as ended_at,
       r.duration as duration_ms, r.exit_code, r.error
from run r left join job j using (job_id) left join node n using (node_no);

create or replace view slots as
select j.name as job, at_ms(s.due_at) as due_at,
       (array['SUCCESS', 'FAILED', 'TIMED_OUT', 'LOST', 'CANCELLED', 'DRY_RUN', 'SKIPPED', 'MISSED'])
           [nullif(s.outcome, 0)] as outcome,
       r.run_id,
       (array['overlap', 'superseded', 'paused', 'throttled', 'downtime', 'too_old', 'removed', 'limit',
              'busy', 'changed', 'after'])[nullif(s.reason, 0)] as reason
from slot s join job j using (job_id) left join run r on r.run_id = s.run_id;

create or replace view audit_log as
select seq, at_ms(at) as at, event, job, run_id, node, actor, detail,
       encode(prev, 'hex') as prev_hash, encode(hash, 'hex') as hash
from audit_row;

create or replace view nodes as
select node, host, version, at_ms(started_at) as started_at, at_ms(last_seen) as last_seen, state, running,
       at_ms(draining_since) as draining_since, draining_by, draining_reason, definitions, refused
from node;

-- Nothing raises alerts yet; their names are there, so that what reads them need not ask first.
create or replace view alerts as
select null::uuid as alert_id, null::text as rule, null::text as severity, null::text as job,
       null::text as state, null::timestamptz as started_at, null::timestamptz as ended_at,
       null::bigint as count, null::text as verdict where false;
create or replace view notifications as
select null::uuid as notification_id, null::uuid as alert_id, null::text as receiver, null::text as state,
       null::text as reason, null::int as attempts, null::timestamptz as created_at,
       null::timestamptz as sent_at where false;
