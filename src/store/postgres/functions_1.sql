-- Schema version 1: what is done to the tables. One call is one operation of the store port, or a
-- part of one; the caller's transaction makes it whole. Every function takes the instant as p_now:
-- the database's clock decides (now_ms), but for tests, which bring their own.
set local search_path = ironcron, pg_temp;

create function now_ms(p_now bigint) returns bigint language sql volatile as $$
    select coalesce(p_now, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
$$;

-- The number of a live node. Held until the commit: who fences the node waits, or has come before.
create function live_node(p_node uuid) returns bigint language plpgsql as $$
declare v_no bigint;
begin
    select node_no into v_no from ironcron.node where node = p_node and state = 'live' for share;
    if v_no is null then
        raise exception using errcode = 'IC001',
            message = 'this node is not live in the store: it was fenced or never joined';
    end if;
    return v_no;
end $$;

create function audit_add(p_at bigint, p_event text, p_job_id bigint, p_job text, p_run uuid,
                          p_node uuid, p_actor text, p_detail text) returns void language sql as $$
    insert into ironcron.audit (at, event, job_id, job, run_id, node, actor, detail)
    values (p_at, p_event, p_job_id, p_job, p_run, p_node, p_actor, p_detail)
$$;

-- ---- slots ---------------------------------------------------------------------------------------

-- Before anything of a decide operation: the node is live, the jobs exist, and their rows are locked
-- in one order, so that two nodes never wait for each other and everything below sees what is.
create function decide_begin(p_node uuid, p_jobs bigint[]) returns bigint language plpgsql as $$
declare v_no bigint; v_missing bigint;
begin
    v_no := ironcron.live_node(p_node);
    perform 1 from ironcron.job where job_id = any(p_jobs) order by job_id for no key update;
    select j into v_missing from unnest(p_jobs) j
    where not exists (select from ironcron.job where job_id = j) limit 1;
    if v_missing is not null then
        raise exception using errcode = 'IC001',
            message = format('the store knows no job with the number %s', v_missing);
    end if;
    return v_no;
end $$;

-- Verdicts: 1 claimed, 2 written, 3 taken, 4 overlap (enum store_verdict).
create type answer as (ord int, verdict int, fence bigint, started_at bigint);

-- Is the run that is proposed there already? Then this repeats a commit whose answer was lost.
create function settle_run(p_ord int, p_job bigint, p_due bigint, p_decision int, p_run uuid)
returns setof answer language sql stable as $$
    select case when r.job_id = p_job and r.due_at = p_due
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
        return query select * from ironcron.settle_run(p_ord, p_job, p_due, p_decision, p_run);
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
        return query select * from ironcron.settle_run(1, p_job, p_due, p_decision, p_run);
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

-- ---- nodes ---------------------------------------------------------------------------------------

create function beat(p_node uuid, p_now bigint, p_running int) returns bigint language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    update ironcron.node set last_seen = v_now, running = p_running where node = p_node and state = 'live';
    if not found then
        perform ironcron.live_node(p_node); -- raises
    end if;
    return v_now;
end $$;

create function leave(p_node uuid, p_now bigint) returns void language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    update ironcron.node set last_seen = v_now, running = 0, state = 'stopped'
    where node = p_node and state = 'live';
    if found then
        perform ironcron.audit_add(v_now, 'NODE_STOPPED', null, null, null, p_node, null, null);
    elsif not exists (select from ironcron.node where node = p_node and state = 'stopped') then
        perform ironcron.live_node(p_node); -- raises
    end if;
end $$;

-- A new node, and what those before it left: its caller has proved that they are dead. A repeat
-- answers the same.
create function join_begin(p_node uuid, p_now bigint, p_host text, p_version text, p_detail text)
returns table (at bigint, is_new boolean) language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    if exists (select from ironcron.node where node = p_node) then
        perform ironcron.live_node(p_node);
        return query select v_now, false;
        return;
    end if;
    perform ironcron.audit_add(v_now, 'NODE_STARTED', null, null, null, p_node, null, p_detail);
    update ironcron.node set state = 'lost', running = 0 where state = 'live';
    insert into ironcron.node (node, host, version, started_at, last_seen, state, running, lost_runs)
    values (p_node, p_host, p_version, v_now, v_now, 'live', 0,
            (select coalesce(array_agg(fence order by fence), '{}') from ironcron.run where state = 0));
    return query select v_now, true;
end $$;

create function join_lost(p_node uuid) returns table (run_id uuid, job_id bigint, due_at bigint,
    trigger smallint, attempt int, job text) language sql as $$
    select r.run_id, r.job_id, r.due_at, r.trigger, r.attempt, j.name
    from ironcron.node n join ironcron.run r on r.fence = any(n.lost_runs) join ironcron.job j using (job_id)
    where n.node = p_node order by r.fence
$$;

-- Guarded by state: who ended meanwhile is not lost. p_retry: for each, or null.
create function lose(p_node uuid, p_now bigint, p_error text, p_run uuid[], p_retry bigint[])
returns void language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    with input as (select * from unnest(p_run, p_retry) with ordinality as i (run_id, retry_at, ord)),
    lost as (
        update ironcron.run r set state = 4, failure = 4, error = p_error, duration = 0, ended_at = v_now
        from input i where r.run_id = i.run_id and r.state = 0
        returning r.fence, r.run_id, r.job_id, r.due_at, r.trigger, i.retry_at, i.ord
    ), slots as (
        update ironcron.slot s set outcome = case when l.retry_at is null then 4 else 0 end, retry_at = l.retry_at
        from lost l where l.trigger <> 3 and s.job_id = l.job_id and s.due_at = l.due_at
                    and s.run = l.fence and s.outcome = 0
    ), jobs as (
        update ironcron.job b set last_run = l.fence
        from (select job_id, max(fence) as fence from lost group by job_id) l where b.job_id = l.job_id
    )
    insert into ironcron.audit (at, event, job_id, run_id, node)
    select v_now, 'LOST', l.job_id, l.run_id, p_node from lost l order by l.ord;
end $$;

-- ---- definitions ---------------------------------------------------------------------------------

-- Slots up to a job's mark were decided under the schedule of their time: a change takes over at
-- the mark where that lies after p_at. spec null removes. Names are different ones.
create function publish_items(p_at bigint, p_name text[], p_spec text[]) returns boolean
language plpgsql as $$
declare v_changed boolean := false; v_rows bigint;
begin
    create temporary table if not exists published (
        ord bigint primary key, name text, spec text, job_id bigint, mark bigint) on commit delete rows;
    delete from published;
    insert into published (ord, name, spec)
    select ord, name, spec from unnest(p_name, p_spec) with ordinality as i (name, spec, ord);
    insert into ironcron.job (job_id, name, high_water, throttle)
    select (select coalesce(max(job_id), 0) from ironcron.job) + row_number() over (order by p.ord), p.name, p_at, 0
    from published p
    where p.spec is not null and not exists (select from ironcron.job j where j.name = p.name);
    perform 1 from ironcron.job j join published p using (name) order by j.job_id for no key update of j;
    update published p set job_id = j.job_id, mark = greatest(p_at, j.high_water)
    from ironcron.job j where j.name = p.name;
    delete from published p using ironcron.in_force f
    where f.job_id = p.job_id and f.to_ms is null and f.spec = p.spec;
    delete from published p where p.spec is null
        and not exists (select from ironcron.in_force f where f.job_id = p.job_id and f.to_ms is null);
    -- A schedule that was in force for no time at all leaves no row.
    delete from ironcron.in_force f using published p
    where f.job_id = p.job_id and f.to_ms is null and f.from_ms >= p.mark;
    get diagnostics v_rows = row_count;
    v_changed := v_changed or v_rows > 0;
    update ironcron.in_force f set to_ms = p.mark from published p
    where f.job_id = p.job_id and f.to_ms is null;
    get diagnostics v_rows = row_count;
    v_changed := v_changed or v_rows > 0;
    insert into ironcron.in_force (job_id, from_ms, spec)
    select job_id, mark, spec from published where spec is not null;
    get diagnostics v_rows = row_count;
    v_changed := v_changed or v_rows > 0;
    update ironcron.job j set high_water = p.mark from published p
    where j.job_id = p.job_id and p.spec is not null;
    return v_changed;
end $$;

-- Answers each item's number (0: unknown). A name that comes twice is taken one after the other.
create function publish(p_node uuid, p_now bigint, p_actor text, p_detail text, p_at bigint,
                        p_name text[], p_spec text[])
returns table (job_ids bigint[], changed boolean) language plpgsql as $$
declare v_changed boolean := false;
begin
    if p_node is not null then
        perform ironcron.live_node(p_node);
    end if;
    perform pg_advisory_xact_lock(1768124270, 1); -- numbers of jobs are given out by one at a time
    if (select count(distinct n) = count(*) from unnest(p_name) n) then
        v_changed := ironcron.publish_items(p_at, p_name, p_spec);
    else
        for i in 1 .. cardinality(p_name) loop
            v_changed := ironcron.publish_items(p_at, p_name[i:i], p_spec[i:i]) or v_changed;
        end loop;
    end if;
    if v_changed then
        perform ironcron.audit_add(ironcron.now_ms(p_now), 'CONFIG_PUBLISHED', null, null, null, p_node,
                                   p_actor, p_detail);
    end if;
    return query
    select coalesce(array_agg(coalesce(j.job_id, 0) order by i.ord), '{}'), v_changed
    from unnest(p_name) with ordinality as i (name, ord) left join ironcron.job j using (name);
end $$;

-- ---- controls and intents ------------------------------------------------------------------------

-- value 0 lifts. An interval never ends before it began.
create function set_control(p_now bigint, p_job text, p_kind int, p_value int, p_actor text, p_as text,
                            p_reason text, p_event text, p_detail text)
returns boolean language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now); c ironcron.control;
begin
    perform pg_advisory_xact_lock(1768124270, 2);
    select * into c from ironcron.control where to_ms is null and kind = p_kind and job is not distinct from p_job;
    if p_value = coalesce(c.value, 0) then
        return false;
    end if;
    if c.id is not null then
        v_now := greatest(v_now, c.from_ms);
        update ironcron.control set to_ms = v_now where id = c.id;
    end if;
    if p_value <> 0 then
        insert into ironcron.control (job, kind, value, from_ms, actor, acts_as, reason)
        values (p_job, p_kind, p_value, v_now, p_actor, p_as, p_reason);
    end if;
    perform ironcron.audit_add(ironcron.now_ms(p_now), p_event, null, p_job, null, null, p_actor, p_detail);
    return true;
end $$;

create function intent_put(p_now bigint, p_id uuid, p_kind int, p_job text, p_run uuid, p_params text,
                           p_dry_run boolean, p_actor text, p_as text, p_reason text)
returns bigint language sql as $$
    insert into ironcron.intent (intent_id, kind, job, run_id, params, dry_run, actor, acts_as, reason,
                                 created_at, state)
    values (p_id, p_kind, p_job, p_run, p_params, p_dry_run, p_actor, p_as, p_reason,
            ironcron.now_ms(p_now), 0)
    on conflict (intent_id) do nothing;
    select ironcron.now_ms(p_now)
$$;

create function intent_end(p_id uuid, p_state int, p_run uuid, p_answer text) returns void
language plpgsql as $$
begin
    update ironcron.intent set state = p_state, run_id = coalesce(p_run, run_id), answer = p_answer,
           params = null where intent_id = p_id and state = 0;
    if not found and not exists (select from ironcron.intent where intent_id = p_id) then
        raise exception using errcode = 'IC001', message = 'there is no such intent';
    end if;
end $$;

-- ---- the chain -----------------------------------------------------------------------------------

-- One seals at a time. Answers the head of the chain, then rows that wait, oldest first.
create function seal_begin(p_limit bigint)
returns table (id bigint, at bigint, event text, job text, run_id uuid, node uuid, actor text,
               detail text, head_seq bigint, head_hash bytea) language plpgsql as $$
begin
    perform pg_advisory_xact_lock(1768124270, 3);
    return query
    with head as (
        select coalesce((select seq from ironcron.audit_seal order by seq desc limit 1),
                        (select value::bigint from ironcron.meta where key = 'anchor_seq'), 0) as seq,
               coalesce((select hash from ironcron.audit_seal order by seq desc limit 1),
                        (select decode(value, 'hex') from ironcron.meta where key = 'anchor_hash')) as hash
    )
    select a.id, a.at, a.event, coalesce(j.name, a.job), a.run_id, a.node, a.actor, a.detail, h.seq, h.hash
    from head h, (select u.id from ironcron.audit_unsealed u order by u.id limit p_limit) q
        join ironcron.audit a using (id) left join ironcron.job j on j.job_id = a.job_id
    order by a.id;
end $$;

create function seal(p_seq bigint, p_ids bigint[], p_hashes bytea[]) returns void language sql as $$
    insert into ironcron.audit_seal (seq, audit_id, hash)
    select p_seq + ord, id, hash from unnest(p_ids, p_hashes) with ordinality as i (id, hash, ord);
    delete from ironcron.audit_unsealed where id = any(p_ids);
$$;

-- ---- pruning -------------------------------------------------------------------------------------

create function meta_put(p_key text, p_value text) returns void language sql as $$
    insert into ironcron.meta values (p_key, p_value) on conflict (key) do update set value = excluded.value
$$;

-- Controls that ended before p_controls are needed by no slot that is kept.
create function prune_runs(p_before bigint, p_controls bigint, p_limit bigint)
returns table (deleted bigint, more boolean) language plpgsql as $$
declare v_slots bigint; v_runs bigint; v_output bigint; v_intents bigint; v_controls bigint;
begin
    with gone as (select s.job_id, s.due_at from ironcron.slot s join ironcron.job j using (job_id)
                  where s.due_at < p_before and s.outcome <> 0 and s.due_at <= j.high_water
                  order by s.due_at, s.job_id limit p_limit)
    delete from ironcron.slot s using gone g where s.job_id = g.job_id and s.due_at = g.due_at;
    get diagnostics v_slots = row_count;
    create temporary table if not exists gone_runs (fence bigint primary key) on commit delete rows;
    delete from gone_runs;
    insert into gone_runs
    select r.fence from ironcron.run r
        left join ironcron.slot s on s.job_id = r.job_id and s.due_at = r.due_at and s.run = r.fence
    where r.fence < coalesce((select min(fence) from ironcron.run where started_at >= p_before),
                             9223372036854775807)
      and r.state <> 0 and r.ended_at < p_before and coalesce(s.outcome <> 0, true)
    order by r.fence limit p_limit;
    delete from ironcron.output o using gone_runs g where o.run = g.fence;
    get diagnostics v_output = row_count;
    delete from ironcron.run r using gone_runs g where r.fence = g.fence;
    get diagnostics v_runs = row_count;
    delete from ironcron.control where id in (
        select id from ironcron.control where to_ms < p_controls order by id limit p_limit);
    get diagnostics v_controls = row_count;
    if v_slots + v_runs + v_controls > 0 and p_before >
            coalesce((select value::bigint from ironcron.meta where key = 'slots_from'), 0) then
        perform ironcron.meta_put('slots_from', p_before::text);
    end if;
    delete from ironcron.intent where id in (
        select id from ironcron.intent where created_at < p_before and state <> 0 order by id limit p_limit);
    get diagnostics v_intents = row_count;
    return query select v_slots + v_runs + v_output + v_intents + v_controls,
        p_limit in (v_slots, v_runs, v_intents, v_controls);
end $$;

create function prune_output(p_before bigint, p_limit bigint)
returns table (deleted bigint, more boolean) language plpgsql as $$
declare v_rows bigint;
begin
    with gone as (
        select o.run, o.start from ironcron.output o join ironcron.run r on r.fence = o.run
        where r.fence < coalesce((select min(fence) from ironcron.run where started_at >= p_before),
                                 9223372036854775807)
          and r.state <> 0 and r.ended_at < p_before
        order by o.run, o.start limit p_limit)
    delete from ironcron.output o using gone g where o.run = g.run and o.start = g.start;
    get diagnostics v_rows = row_count;
    return query select v_rows, v_rows = p_limit;
end $$;

-- Only the beginning of the sealed chain can go; the anchor says what came before the rest.
create function prune_audit(p_before bigint, p_limit bigint)
returns table (deleted bigint, more boolean) language plpgsql as $$
declare v_last bigint; v_hash bytea; v_rows bigint;
begin
    perform pg_advisory_xact_lock(1768124270, 3);
    select max(k.seq) into v_last
    from (select s.seq, bool_and(a.at < p_before) over (order by s.seq) as old
          from (select * from ironcron.audit_seal order by seq limit p_limit) s
              join ironcron.audit a on a.id = s.audit_id) k
    where k.old;
    if v_last is null then
        return query select 0::bigint, false;
        return;
    end if;
    select hash into v_hash from ironcron.audit_seal where seq = v_last;
    perform ironcron.meta_put('anchor_seq', v_last::text);
    perform ironcron.meta_put('anchor_hash', encode(v_hash, 'hex'));
    perform set_config('ironcron.pruning', 'on', true);
    delete from ironcron.audit a using ironcron.audit_seal s where s.audit_id = a.id and s.seq <= v_last;
    delete from ironcron.audit_seal where seq <= v_last;
    get diagnostics v_rows = row_count;
    perform set_config('ironcron.pruning', 'off', true);
    return query select v_rows, v_rows = p_limit;
end $$;
