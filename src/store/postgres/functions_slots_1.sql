-- Schema version 1: what is done to slots and runs. Instants: see functions_nodes_1.sql.
set local search_path = ironcron, pg_temp;

-- ---- slots ---------------------------------------------------------------------------------------

-- Before anything of a decide operation: the node is live, the jobs exist, and their rows are locked
-- in one order, so that two nodes never wait for each other and everything below sees what is. Answers
-- whether the definitions are outdated (p_version null: no matter); then nothing is written.
create function decide_begin(p_node uuid, p_version bigint, p_jobs bigint[]) returns boolean
language plpgsql as $$
declare v_missing bigint; v_outdated boolean;
begin
    perform ironcron.live_node(p_node);
    v_outdated := coalesce(ironcron.is_outdated(p_version), false);
    perform set_config('ironcron.outdated', v_outdated::text, true);
    perform 1 from ironcron.job where job_id = any(p_jobs) order by job_id for no key update;
    select j into v_missing from unnest(p_jobs) j
    where not exists (select from ironcron.job where job_id = j) limit 1;
    if v_missing is not null then
        raise exception using errcode = 'IC001',
            message = format('the store knows no job with the number %s', v_missing);
    end if;
    return v_outdated;
end $$;

-- Verdicts: 1 claimed, 2 written, 3 taken, 4 overlap (enum store_verdict).
create type answer as (ord int, verdict int, fence bigint, started_at bigint);

-- Is the run that is proposed there already? Then this repeats a commit whose answer was lost.
create function settle_run(p_no bigint, p_ord int, p_job bigint, p_due bigint, p_decision int, p_run uuid)
returns setof answer language sql stable as $$
    select case when r.node_no = p_no and r.job_id = p_job and r.due_at = p_due
                then row(p_ord, case when r.state <> case p_decision when 0 then 0 else 6 end then 3
                                     when r.state = 0 then 1 else 2 end,
                         r.fence, r.started_at)::ironcron.answer
                else row(p_ord, 3, 0, null)::ironcron.answer end
    from ironcron.run r
    where r.run_id = p_run
$$;

-- The slot is decided: by this very proposal when its row says so, else by somebody else.
create function settle(p_no bigint, p_ord int, p_job bigint, p_due bigint, p_decision int,
                       p_run uuid, p_reason int, p_skips boolean)
returns setof answer language plpgsql stable as $$
declare s ironcron.slot; v_verdict int := 3;
begin
    if p_run is not null then
        return query select * from ironcron.settle_run(p_no, p_ord, p_job, p_due, p_decision, p_run);
        if found then
            return;
        end if;
    end if;
    select * into s from ironcron.slot where job_id = p_job and due_at = p_due and node_no = p_no;
    if found then
        v_verdict := case
            when p_decision = 4 and s.outcome = 0 and s.retry_at is not null and s.attempt = 0 then 2
            when p_decision = 1 and s.outcome = 7 and s.reason = p_reason then 2
            when p_decision = 2 and s.outcome = 8 and s.reason = p_reason then 2
            when p_decision = 0 and p_skips and s.outcome = 7 and s.reason = 1 then 4
            else 3 end;
    end if;
    return next row(p_ord, v_verdict, 0, null)::ironcron.answer;
end $$;

-- Scheduled and made-up slots of different jobs, all at once. Guard: the slot is above the job's mark.
-- Decisions: 0 run, 1 skip, 2 miss, 3 dry-run, 4 wait for other jobs.
create function decide_scheduled(p_no bigint, p_node uuid, p_now bigint, p_actor text,
    p_job bigint[], p_due bigint[], p_decision int[], p_trigger int[], p_attempt int[], p_run uuid[],
    p_reason int[], p_forbids boolean[], p_skips boolean[], p_throttle int[], p_wait bigint[],
    p_detail text[], p_overlap_detail text[])
returns setof answer language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    if current_setting('ironcron.outdated') = 'true' then
        return query
        select a.* from unnest(p_job, p_due, p_decision, p_run) with ordinality
                as i (job_id, due_at, decision, run_id, ord),
            lateral ironcron.settle_run(p_no, i.ord::int, i.job_id, i.due_at, i.decision, i.run_id) a;
        return;
    end if;
    return query
    with input as (
        select * from unnest(p_job, p_due, p_decision, p_trigger, p_attempt, p_run, p_reason,
                             p_forbids, p_skips, p_throttle, p_wait, p_detail, p_overlap_detail)
        with ordinality as i (job_id, due_at, decision, trigger, attempt, run_id, reason, forbids,
                              skips, throttle, wait_until, detail, overlap_detail, ord)
    ), seen as (
        select i.*, i.due_at > j.high_water as above,
               i.decision = 0 and i.forbids
               and exists (select from ironcron.run r where r.job_id = i.job_id and r.state = 0) as blocked
        from input i join ironcron.job j using (job_id)
    ), judged as (
        select s.*, s.above and (s.skips or not s.blocked) as writes,
               s.decision in (0, 3) and not s.blocked as runs,
               case when s.blocked then 7
                    else (array[0, 7, 8, 6, 0])[s.decision + 1] end as outcome,
               case when s.blocked then 1 when s.decision in (0, 3) then 0 when s.decision = 4 then 11
                    else s.reason end as why
        from seen s
    ), numbered as materialized (
        select w.*, case when w.runs then nextval('ironcron.fence') end as fence
        from (select * from judged where writes order by ord) w
    ), marked as (
        update ironcron.job j set high_water = n.due_at, throttle = n.throttle,
               last_run = case when n.decision = 3 then n.fence else j.last_run end
        from numbered n where j.job_id = n.job_id
    ), slots as (
        insert into ironcron.slot (due_at, job_id, outcome, reason, run, attempt, node_no, retry_at)
        select due_at, job_id, outcome, why, fence, case decision when 4 then 0 else attempt end, p_no,
               case decision when 4 then wait_until end
        from numbered
    ), runs as (
        insert into ironcron.run (fence, run_id, job_id, due_at, attempt, trigger, state, node_no,
                                  started_at, ended_at, duration)
        select fence, run_id, job_id, due_at, attempt, trigger, case decision when 0 then 0 else 6 end,
               p_no, v_now, case decision when 3 then v_now end, case decision when 3 then 0 end
        from numbered where runs
    ), audits as (
        insert into ironcron.audit (at, event, job_id, run_id, node, actor, detail)
        select v_now, case when runs and decision = 0 then 'STARTED' when outcome = 6 then 'DRY_RUN'
                           when outcome = 7 then 'SKIPPED' else 'MISSED' end,
               job_id, case when runs then run_id end, p_node, p_actor,
               case when blocked then overlap_detail else detail end
        from numbered where decision <> 4 order by ord
    )
    select n.ord::int, case when n.blocked then 4 when n.decision = 0 then 1 else 2 end,
           coalesce(n.fence, 0), case when n.runs then v_now end
    from numbered n
    union all
    select s.* from judged j,
        lateral ironcron.settle(p_no, j.ord::int, j.job_id, j.due_at, j.decision, j.run_id, j.reason, j.skips) s
    where not j.writes and not (j.above and j.blocked)
    union all
    select j.ord::int, 4, 0::bigint, null::bigint from judged j
    where not j.writes and j.above and j.blocked;
end $$;

-- One slot that the mark does not guard: one that waited, another attempt, a manual run, one of the
-- past again. Triggers: 0 schedule, 1 catch-up, 2 retry, 3 manual, 4 backfill.
create function decide_other(p_no bigint, p_node uuid, p_now bigint, p_actor text, p_job bigint,
    p_due bigint, p_decision int, p_trigger int, p_attempt int, p_run uuid, p_reason int,
    p_forbids boolean, p_skips boolean, p_by_hand boolean, p_detail text, p_overlap_detail text)
returns setof answer language plpgsql as $$
declare
    v_now bigint := ironcron.now_ms(p_now);
    s ironcron.slot;
    v_there boolean;
    v_overlaps boolean;
    v_runs boolean;
    v_fence bigint;
    v_outcome int;
begin
    if current_setting('ironcron.outdated') = 'true' then
        return query select * from ironcron.settle_run(p_no, 1, p_job, p_due, p_decision, p_run);
        return;
    end if;
    select * into s from ironcron.slot where job_id = p_job and due_at = p_due for update;
    v_there := found;
    if p_trigger = 2 and not coalesce(v_there and p_attempt = s.attempt + 1
            and (s.outcome = 4 or case when p_by_hand then s.outcome in (2, 3, 5)
                                       else s.outcome = 0 and s.retry_at is not null end), false)
        or p_trigger < 2 and not coalesce(v_there and s.outcome = 0 and s.retry_at is not null
                                          and s.attempt = 0, false) then
        return query select * from ironcron.settle(p_no, 1, p_job, p_due, p_decision, p_run, p_reason, p_skips);
        return;
    end if;
    if p_trigger = 4 and (v_there and s.outcome = 0
            or p_due > (select high_water from ironcron.job where job_id = p_job)) then
        return query select * from ironcron.settle(p_no, 1, p_job, p_due, p_decision, p_run, p_reason, p_skips);
        return;
    end if;
    if p_trigger > 2 then
        return query select * from ironcron.settle_run(p_no, 1, p_job, p_due, p_decision, p_run);
        if found then
            return;
        end if;
    end if;
    v_overlaps := p_decision = 0 and p_forbids
        and exists (select from ironcron.run where job_id = p_job and state = 0);
    if v_overlaps and not (p_trigger <= 2 and p_skips) then
        return next row(1, 4, 0, null)::ironcron.answer;
        return;
    end if;
    v_runs := p_decision in (0, 3) and not v_overlaps;
    v_outcome := case when v_overlaps then 7 else (array[0, 7, 8, 6])[p_decision + 1] end;
    if v_runs then
        v_fence := nextval('ironcron.fence');
        insert into ironcron.run (fence, run_id, job_id, due_at, attempt, trigger, state, node_no,
                                  started_at, ended_at, duration)
        values (v_fence, p_run, p_job, p_due, p_attempt, p_trigger, case p_decision when 0 then 0 else 6 end,
                p_no, v_now, case p_decision when 3 then v_now end, case p_decision when 3 then 0 end);
        if p_decision = 3 then
            update ironcron.job set last_run = v_fence where job_id = p_job;
        end if;
    end if;
    -- What a rehearsal would have done must not hide what really happened.
    if p_trigger <= 2 or p_trigger = 4 and not (v_there and p_decision = 3) then
        insert into ironcron.slot as o (due_at, job_id, outcome, reason, run, attempt, node_no)
        values (p_due, p_job, v_outcome, case when v_overlaps then 1 when v_runs then 0 else p_reason end,
                v_fence, case when v_runs or p_trigger <> 2 then p_attempt else p_attempt - 1 end, p_no)
        on conflict (job_id, due_at) do update
        set outcome = excluded.outcome, reason = excluded.reason, run = coalesce(excluded.run, o.run),
            attempt = excluded.attempt, node_no = excluded.node_no, retry_at = null;
    end if;
    perform ironcron.audit_add(v_now, case when v_runs and p_decision = 0 then 'STARTED'
            when v_outcome = 6 then 'DRY_RUN' when v_outcome = 7 then 'SKIPPED' else 'MISSED' end,
        p_job, null, case when v_runs then p_run end, p_node, p_actor,
        case when v_overlaps then p_overlap_detail else p_detail end);
    return next row(1, case when v_overlaps then 4 when p_decision = 0 then 1 else 2 end,
                    coalesce(v_fence, 0), case when v_runs then v_now end)::ironcron.answer;
end $$;

-- ---- runs ----------------------------------------------------------------------------------------

-- Ends of different runs, guarded by id, fence and state. Answers which are stale.
create function finish(p_node uuid, p_now bigint, p_run uuid[], p_fence bigint[], p_state int[],
    p_failure int[], p_exit int[], p_error text[], p_duration bigint[], p_retry bigint[],
    p_detail text[])
returns table (stale boolean[], at bigint) language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    perform 1 from ironcron.run r where r.fence = any(p_fence) order by r.fence for update;
    return query
    with input as (
        select * from unnest(p_run, p_fence, p_state, p_failure, p_exit, p_error, p_duration, p_retry,
                             p_detail)
        with ordinality as i (run_id, fence, state, failure, exit_code, error, duration, retry_at,
                              detail, ord)
    ), judged as (
        select i.*, r.job_id, r.due_at, r.trigger,
               r.fence is null or (r.state <> 0 and r.state <> i.state) as is_stale,
               coalesce(r.state = 0, false) as ends
        from input i left join ironcron.run r on r.fence = i.fence and r.run_id = i.run_id
    ), ended as (
        update ironcron.run r set state = j.state, failure = j.failure, exit_code = j.exit_code,
               error = j.error, duration = j.duration, ended_at = v_now
        from judged j where j.ends and r.fence = j.fence
    ), slots as (
        update ironcron.slot s
        set outcome = case when j.retry_at is null then j.state else 0 end, retry_at = j.retry_at
        from judged j where j.ends and j.trigger <> 3 and s.job_id = j.job_id and s.due_at = j.due_at
                      and s.run = j.fence and s.outcome = 0
    ), jobs as (
        update ironcron.job b set last_run = l.fence,
               last_success = case when l.succeeded then v_now else b.last_success end
        from (select distinct on (job_id) job_id, fence,
                     bool_or(state = 1) over (partition by job_id) as succeeded
              from judged where ends order by job_id, ord desc) l
        where b.job_id = l.job_id
    ), audits as (
        insert into ironcron.audit (at, event, job_id, run_id, node, detail)
        select v_now, case when is_stale then 'STALE' else
               (array['SUCCESS', 'FAILED', 'TIMED_OUT', 'LOST', 'CANCELLED', 'DRY_RUN'])[j.state] end,
               case when is_stale then (select job_id from ironcron.run r where r.run_id = j.run_id)
                    else j.job_id end, j.run_id, p_node, j.detail
        from judged j where is_stale or ends order by ord
    )
    select coalesce(array_agg(j.is_stale order by j.ord), '{}'), v_now from judged j;
end $$;

create function output_add(p_run uuid, p_offset bigint, p_bytes bytea) returns void
language plpgsql as $$
declare v_fence bigint; v_stored bigint;
begin
    select fence into v_fence from ironcron.run where run_id = p_run;
    if not found then
        raise exception using errcode = 'IC001',
            message = 'there is no such run to which output could belong';
    end if;
    select o.start + length(o.bytes) into v_stored from ironcron.output o where o.run = v_fence
    order by o.start desc limit 1;
    v_stored := coalesce(v_stored, 0);
    if p_offset > v_stored then
        raise exception using errcode = 'IC001', message = 'a piece of output before this one is missing';
    end if;
    if v_stored - p_offset < length(p_bytes) then
        insert into ironcron.output
        values (v_fence, v_stored, substr(p_bytes, (v_stored - p_offset)::int + 1));
    end if;
end $$;
