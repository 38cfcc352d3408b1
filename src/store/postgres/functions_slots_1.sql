-- Schema version 1: what is done to slots and runs. Instants: see functions_nodes_1.sql.
set local search_path = ironcron, pg_temp;

-- ---- slots ---------------------------------------------------------------------------------------

-- Before anything of a decide operation: the node is live. Answers whether the definitions are outdated
-- (p_version null: no matter); then nothing is written. An operation of several parts names its jobs:
-- they exist, and their rows are locked in one order, so that two nodes never wait for each other and
-- everything below sees what is.
create function decide_begin(p_node uuid, p_version bigint, p_jobs bigint[]) returns boolean
language plpgsql as $$
declare v_outdated boolean;
begin
    perform ironcron.live_node(p_node);
    v_outdated := coalesce(ironcron.is_outdated(p_version), false);
    perform set_config('ironcron.outdated', v_outdated::text, true);
    if p_jobs is not null then
        perform ironcron.lock_jobs(p_jobs);
        perform ironcron.know_jobs(p_jobs);
    end if;
    return v_outdated;
end $$;

create function lock_jobs(p_jobs bigint[]) returns void language plpgsql set lock_timeout = '500ms' as $$
begin
    perform 1 from ironcron.job where job_id = any(p_jobs) order by job_id for no key update;
end $$;

create function know_jobs(p_jobs bigint[]) returns void language plpgsql as $$
declare v_missing bigint;
begin
    select j into v_missing from unnest(p_jobs) j
    where not exists (select from ironcron.job where job_id = j) limit 1;
    if v_missing is not null then
        raise exception using errcode = 'IC001',
            message = format('the store knows no job with the number %s', v_missing);
    end if;
end $$;

-- Verdicts: 1 claimed, 2 written, 3 taken, 4 overlap, 5 locked (enum store_verdict).
create type answer as (ord int, verdict int, fence bigint, started_at bigint);
create type answers as (verdicts int[], fences bigint[], started_at bigint[]);

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

-- A slot of which no run is STARTED, and none was the last word.
create function slot_aside(p_job bigint, p_due bigint) returns setof slot language sql stable as $$
    select job_id, due_at, outcome, reason, run_id, attempt, null::bigint, node_no
    from ironcron.slot_closed where job_id = p_job and due_at = p_due
    union all
    select job_id, due_at, 0::smallint, reason, run_id, attempt, retry_at, node_no
    from ironcron.slot_waiting where job_id = p_job and due_at = p_due
$$;

-- A slot as it is. Only a job that has STARTED runs is looked for among them.
create function slot_at(p_job bigint, p_due bigint) returns setof slot language sql stable as $$
    select * from ironcron.slot_aside(p_job, p_due)
    union all
    select job_id, due_at, 0::smallint, 0::smallint, run_id, attempt, null::bigint, node_no
    from ironcron.run_started where job_id = p_job and due_at = p_due and trigger <> 3
        and exists (select from ironcron.job where job_id = p_job and running > 0)
    union all
    select job_id, due_at, state, 0::smallint, run_id, attempt, null::bigint, node_no
    from ironcron.run_ended where job_id = p_job and due_at = p_due and closes
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
    select * into s from ironcron.slot_aside(p_job, p_due) where node_no = p_no;
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

-- Answers that are there already, with those for the slots of the same operation that were not
-- written: each of a job that is busy, decided before, or of a schedule that is not in force any more.
create function settle_rest(p_no bigint, p_done int[], p_answers answers, p_job bigint[], p_due bigint[],
    p_decision bigint[], p_run uuid[], p_reason bigint[], p_skips boolean[])
returns answers language plpgsql as $$
declare a ironcron.answers;
begin
    select array_agg(o.verdict order by o.ord), array_agg(o.fence order by o.ord),
           array_agg(o.started_at order by o.ord)
    into a from (
        select d.ord, d.verdict, d.fence, d.started_at
        from unnest(p_done, p_answers.verdicts, p_answers.fences, p_answers.started_at)
            as d (ord, verdict, fence, started_at)
        union all
        select s.ord, s.verdict, s.fence, s.started_at
        from unnest(p_job, p_due, p_decision, p_run, p_reason, p_skips) with ordinality
            as i (job_id, due_at, decision, run_id, reason, skips, ord) join ironcron.job j using (job_id),
            lateral (select i.ord::int, case when i.decision in (1, 2) then 3 else 4 end, 0::bigint, null::bigint
                     where i.due_at > j.high_water
                     union all
                     select t.* from ironcron.settle(p_no, i.ord::int, i.job_id, i.due_at, i.decision::int, i.run_id,
                                                     i.reason::int, i.skips) t where i.due_at <= j.high_water)
                as s (ord, verdict, fence, started_at)
        where i.ord <> all (coalesce(p_done, '{}'))) o;
    return a;
end $$;

-- What was decided for slots of jobs whose rows are held. All run, mostly, and then that is all there is
-- to write; p_skipped: a run is in the way.
create function write_slots(p_no bigint, p_node uuid, p_now bigint, p_actor text, p_job bigint[], p_name text[], p_due bigint[],
    p_decision bigint[], p_trigger bigint[], p_attempt bigint[], p_run uuid[], p_reason bigint[], p_wait bigint[],
    p_detail text[], p_overlap_detail text[], p_skipped boolean[])
returns answers language plpgsql as $$
declare a ironcron.answers; v_all_run boolean; v_count int[] := array[coalesce(cardinality(p_job), 0)];
begin
    v_all_run := not exists (select from unnest(p_decision, p_skipped) as d (decision, skipped)
                             where decision <> 0 or skipped);
    a.verdicts := array_fill(1, v_count);
    a.started_at := array_fill(p_now, v_count);
    a.fences := array(select case when decision in (0, 3) and not skipped then nextval('ironcron.fence') else 0 end
                      from (select unnest(p_decision) as decision, unnest(p_skipped) as skipped) d);
    insert into ironcron.run_started (run_id, fence, job_id, job, due_at, started_at, node_no, attempt, trigger)
    select run_id, fence, job_id, job, due_at, p_now, p_no, attempt, trigger
    from (select unnest(p_run) as run_id, unnest(a.fences) as fence, unnest(p_job) as job_id, unnest(p_name) as job,
                 unnest(p_due) as due_at, unnest(p_attempt) as attempt, unnest(p_trigger) as trigger, unnest(p_decision) as decision) s
    where fence > 0 and decision = 0;
    if v_all_run then
        insert into ironcron.audit (at, node, actor, events, jobs, run_ids, details)
        select p_now, p_node, p_actor, array_fill('STARTED'::text, v_count), p_name, p_run, p_detail
        where v_count[1] > 0;
        return a;
    end if;
    insert into ironcron.audit (at, node, actor, events, jobs, run_ids, details)
    select p_now, p_node, p_actor,
           array_agg(case when skipped then 'SKIPPED'
                          else (array['STARTED', 'SKIPPED', 'MISSED', 'DRY_RUN'])[decision + 1] end order by ord),
           array_agg(job order by ord), array_agg(case when fence > 0 then run_id end order by ord),
           array_agg(case when skipped then overlap_detail else detail end order by ord)
    from unnest(p_name, p_run, a.fences, p_decision, p_skipped, p_detail, p_overlap_detail) with ordinality
        as s (job, run_id, fence, decision, skipped, detail, overlap_detail, ord)
    where decision <> 4 having count(*) > 0;
    select array_agg(case when skipped then 4 when decision = 0 then 1 else 2 end),
           array_agg(case when fence > 0 then p_now end)
    into a.verdicts, a.started_at
    from (select unnest(p_decision) as decision, unnest(p_skipped) as skipped, unnest(a.fences) as fence) s;
    insert into ironcron.run_ended (run_id, fence, job_id, due_at, started_at, ended_at, duration, node_no,
                                    attempt, trigger, state, failure, closes)
    select run_id, fence, job_id, due_at, p_now, p_now, 0, p_no, attempt, trigger, 6, 0, true
    from unnest(p_run, a.fences, p_job, p_due, p_attempt, p_trigger, p_decision)
        as s (run_id, fence, job_id, due_at, attempt, trigger, decision)
    where fence > 0 and decision = 3;
    insert into ironcron.slot_closed (job_id, due_at, node_no, run_id, attempt, outcome, reason)
    select job_id, due_at, p_no, null, attempt, case when skipped then 7 else (array[7, 8])[decision] end,
           case when skipped then 1 else reason end
    from unnest(p_job, p_due, p_attempt, p_decision, p_skipped, p_reason)
        as s (job_id, due_at, attempt, decision, skipped, reason)
    where skipped or decision in (1, 2);
    insert into ironcron.slot_waiting (job_id, due_at, retry_at, node_no, attempt, reason)
    select job_id, due_at, wait_until, p_no, 0, 11
    from unnest(p_job, p_due, p_wait, p_decision) as s (job_id, due_at, wait_until, decision) where decision = 4;
    return a;
end $$;

-- In a language that is not looked into beforehand, so that other claims have nothing to do with that table, and need
-- not wait where somebody holds it.
create function is_in_force(p_job bigint, p_since bigint) returns boolean language plpgsql stable as $$
begin
    return exists (select from ironcron.in_force f where f.job_id = p_job and f.to_ms is null and f.from_ms <= p_since);
end $$;

-- Scheduled and made-up slots of different jobs, all at once. Guards, on the job's row: the slot is
-- above the mark, and no run is in its way. The rows are taken in the order of the jobs. What is written
-- then comes from the arrays as they are, unless some slots were not to be had.
-- Decisions: 0 run, 1 skip, 2 miss, 3 dry-run, 4 wait for other jobs. p_wait: until when 4 waits; since when
-- 1 and 2 demand that the schedule is in force, or null (their jobs' rows are held then).
create function decide_scheduled(p_no bigint, p_node uuid, p_now bigint, p_actor text,
    p_job bigint[], p_due bigint[], p_decision bigint[], p_trigger bigint[], p_attempt bigint[], p_run uuid[],
    p_reason bigint[], p_forbids boolean[], p_skips boolean[], p_throttle bigint[], p_wait bigint[],
    p_detail text[], p_overlap_detail text[])
returns answers language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off
set enable_seqscan = off set jit = off set lock_timeout = '500ms' as $$
declare
    v_now bigint := ironcron.now_ms(p_now);
    v_done int[];
    v_held boolean[];
    v_name text[];
    v_locked bigint[];
    k int;
    v_ord int;
    a ironcron.answers;
begin
    if current_setting('ironcron.outdated') = 'true' then
        perform ironcron.know_jobs(p_job);
        select array_agg(coalesce(s.verdict, 0) order by i.ord), array_agg(coalesce(s.fence, 0) order by i.ord),
               array_agg(s.started_at order by i.ord)
        into a
        from unnest(p_job, p_due, p_decision, p_run) with ordinality as i (job_id, due_at, decision, run_id, ord)
            left join lateral ironcron.settle_run(p_no, i.ord::int, i.job_id, i.due_at, i.decision::int, i.run_id) s on true;
        perform ironcron.lock_again(a.verdicts, '{}', p_job, p_forbids);
        return a;
    end if;
    with marked as (
        update ironcron.job j
        set high_water = i.due_at, throttle = i.throttle, mark_before = j.high_water, throttle_before = j.throttle,
            held = i.runs and i.forbids and j.running > 0,
            running = j.running + case when i.runs and not (i.forbids and j.running > 0) then 1 else 0 end,
            last_run = case when i.rehearsed is null then j.last_run else i.rehearsed end
        from (select ord, job_id, due_at, throttle, forbids, skips, decision = 0 as runs,
                     case when decision = 3 then run_id end as rehearsed,
                     case when decision in (1, 2) then wait end as force
              from (select generate_subscripts(p_job, 1) as ord, unnest(p_job) as job_id, unnest(p_due) as due_at,
                           unnest(p_throttle) as throttle, unnest(p_forbids) as forbids, unnest(p_skips) as skips,
                           unnest(p_decision) as decision, unnest(p_run) as run_id, unnest(p_wait) as wait) u
              order by job_id) i
        where j.job_id between i.job_id and i.job_id and i.due_at > j.high_water
          and (i.force is null or ironcron.is_in_force(i.job_id, i.force))
          and (j.running = 0 or i.skips or not i.runs or not i.forbids)
        returning i.ord, j.held, j.name
    )
    select array_agg(ord), array_agg(held), array_agg(name)
    into v_done, v_held, v_name from (select * from marked order by ord) m;
    select array_agg(t.k) into v_locked
    from (select d.k, p_decision[d.ord] = 0 and p_forbids[d.ord] and not d.held
                      and not pg_try_advisory_lock(1768124272, p_job[d.ord]::int) as is_locked
          from unnest(v_done, v_held) with ordinality as d (ord, held, k)) t
    where t.is_locked;
    foreach k in array coalesce(v_locked, '{}') loop
        v_ord := v_done[k];
        if not ironcron.lock_job(p_job[v_ord]) then
            perform ironcron.locked_out(p_job[v_ord], p_skips[v_ord]);
            v_held[k] := true;
            v_done[k] := case when p_skips[v_ord] then v_ord end;
        end if;
    end loop;
    if cardinality(p_job) = cardinality(array_remove(v_done, null)) then
        return ironcron.write_slots(p_no, p_node, v_now, p_actor, p_job, v_name, p_due, p_decision, p_trigger, p_attempt, p_run,
                                    p_reason, p_wait, p_detail, p_overlap_detail, v_held);
    end if;
    perform ironcron.know_jobs(p_job);
    select array_agg(ord), array_agg(held), array_agg(name) into v_done, v_held, v_name
    from unnest(v_done, v_held, v_name) as d (ord, held, name) where ord is not null;
    select (w).* into a from (
        select ironcron.write_slots(p_no, p_node, v_now, p_actor, array_agg(p_job[ord]), v_name, array_agg(p_due[ord]),
            array_agg(p_decision[ord]), array_agg(p_trigger[ord]), array_agg(p_attempt[ord]), array_agg(p_run[ord]),
            array_agg(p_reason[ord]), array_agg(p_wait[ord]), array_agg(p_detail[ord]), array_agg(p_overlap_detail[ord]),
            v_held) as w
        from (select unnest(v_done) as ord) d offset 0) s;
    a := ironcron.settle_rest(p_no, v_done, a, p_job, p_due, p_decision, p_run, p_reason, p_skips);
    perform ironcron.lock_again(a.verdicts, v_done, p_job, p_forbids);
    return a;
end $$;

-- One slot that the mark does not guard: one that waited, another attempt, a manual run, one of the
-- past again. Triggers: 0 schedule, 1 catch-up, 2 retry, 3 manual, 4 backfill.
create function decide_other(p_no bigint, p_node uuid, p_now bigint, p_actor text, p_job bigint,
    p_due bigint, p_decision int, p_trigger int, p_attempt int, p_run uuid, p_reason int,
    p_forbids boolean, p_skips boolean, p_by_hand boolean, p_detail text, p_overlap_detail text)
returns setof answer language plpgsql set plan_cache_mode = force_custom_plan as $$
declare
    v_now bigint := ironcron.now_ms(p_now);
    j ironcron.job;
    s ironcron.slot;
    v_there boolean;
    v_overlaps boolean;
    v_runs boolean;
    v_fence bigint;
    v_outcome int;
begin
    if p_decision = 0 and p_forbids
       and exists (select from ironcron.run_started where run_id = p_run and node_no = p_no) then
        perform ironcron.lock_again(array[1], '{}', array[p_job], array[true]);
    end if;
    if current_setting('ironcron.outdated') = 'true' then
        return query select * from ironcron.settle_run(p_no, 1, p_job, p_due, p_decision, p_run);
        return;
    end if;
    select * into j from ironcron.job where job_id = p_job;
    if p_trigger <> 3 then
        select * into s from ironcron.slot_at(p_job, p_due) limit 1;
    end if;
    v_there := s.job_id is not null;
    if p_trigger = 2 and not coalesce(v_there and p_attempt = s.attempt + 1
            and (s.outcome = 4 or case when p_by_hand then s.outcome in (2, 3, 5)
                                       else s.outcome = 0 and s.retry_at is not null end), false)
        or p_trigger < 2 and not coalesce(v_there and s.outcome = 0 and s.retry_at is not null
                                          and s.attempt = 0, false)
        or p_trigger = 4 and (v_there and s.outcome = 0 or p_due > j.high_water) then
        return query select * from ironcron.settle(p_no, 1, p_job, p_due, p_decision, p_run, p_reason, p_skips);
        return;
    end if;
    if p_trigger > 2 then
        return query select * from ironcron.settle_run(p_no, 1, p_job, p_due, p_decision, p_run);
        if found then
            return;
        end if;
    end if;
    v_overlaps := p_decision = 0 and p_forbids and (j.running > 0 or not ironcron.lock_job(p_job));
    if v_overlaps and not (p_trigger <= 2 and p_skips) then
        return next row(1, 4, 0, null)::ironcron.answer;
        return;
    end if;
    v_runs := p_decision in (0, 3) and not v_overlaps;
    v_outcome := case when v_overlaps then 7 else (array[0, 7, 8, 6])[p_decision + 1] end;
    -- What a rehearsal would have done must not hide what really happened.
    if p_trigger <= 2 or p_trigger = 4 and not (v_there and p_decision = 3) then
        if v_there then
            delete from ironcron.slot_waiting where job_id = p_job and due_at = p_due;
            delete from ironcron.slot_closed where job_id = p_job and due_at = p_due;
            update ironcron.run_ended set closes = false where run_id = s.run_id and closes;
        end if;
        if v_outcome <> 0 then
            insert into ironcron.slot_closed (job_id, due_at, node_no, run_id, attempt, outcome, reason)
            values (p_job, p_due, p_no, case when v_runs then p_run else s.run_id end,
                    case when v_runs or p_trigger <> 2 then p_attempt else p_attempt - 1 end, v_outcome,
                    case when v_overlaps then 1 when v_runs then 0 else p_reason end);
        end if;
    end if;
    if v_runs then
        v_fence := nextval('ironcron.fence');
        if p_decision = 0 then
            insert into ironcron.run_started (run_id, fence, job_id, job, due_at, started_at, node_no, attempt, trigger)
            values (p_run, v_fence, p_job, j.name, p_due, v_now, p_no, p_attempt, p_trigger);
            update ironcron.job set running = running + 1 where job_id = p_job;
        else
            insert into ironcron.run_ended (run_id, fence, job_id, due_at, started_at, ended_at, duration, node_no,
                                            attempt, trigger, state, failure)
            values (p_run, v_fence, p_job, p_due, v_now, v_now, 0, p_no, p_attempt, p_trigger, 6, 0);
            update ironcron.job set last_run = p_run where job_id = p_job;
        end if;
    end if;
    perform ironcron.audit_add(v_now, case when v_runs and p_decision = 0 then 'STARTED'
            when v_outcome = 6 then 'DRY_RUN' when v_outcome = 7 then 'SKIPPED' else 'MISSED' end,
        j.name, case when v_runs then p_run end, p_node, p_actor,
        case when v_overlaps then p_overlap_detail else p_detail end);
    return next row(1, case when v_overlaps then 4 when p_decision = 0 then 1 else 2 end,
                    coalesce(v_fence, 0), case when v_runs then v_now end)::ironcron.answer;
end $$;

-- ---- runs ----------------------------------------------------------------------------------------

-- Ends those of these different runs that are STARTED and have the fence that is given. Answers how
-- many. Rows are looked for `between`, which no plan can turn round: one that was made while a table was
-- empty would go through all of it for each of them. A run ended when its node saw it, however late that is told; where nobody knows how long it took
-- (null), now. Locks runs by id, then their jobs by number (functions_nodes_1.sql).
create function end_runs(p_node uuid, p_now bigint, p_run uuid[], p_fence bigint[], p_state bigint[],
    p_failure bigint[], p_exit bigint[], p_error text[], p_duration bigint[], p_retry bigint[],
    p_detail text[])
returns bigint language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off
set enable_seqscan = off set jit = off as $$
declare v_count bigint;
begin
    with gone as (
        delete from ironcron.run_started r
        using (select * from (
                   select generate_subscripts(p_run, 1) as ord, unnest(p_run) as run_id, unnest(p_fence) as fence,
                          unnest(p_state) as state, unnest(p_failure) as failure, unnest(p_exit) as exit_code,
                          unnest(p_error) as error, unnest(p_duration) as duration, unnest(p_retry) as retry_at,
                          unnest(p_detail) as detail) e
               order by run_id) i
        where r.run_id between i.run_id and i.run_id and r.fence = coalesce(i.fence, r.fence)
        returning r.run_id, r.fence, r.job_id, r.job, r.due_at, r.started_at, r.node_no, r.attempt, r.trigger, i.ord, i.state,
                  i.failure, i.exit_code, i.error, i.duration, i.retry_at, i.detail,
                  case when i.duration is null then p_now
                       else greatest(r.started_at, least(p_now, r.started_at + i.duration)) end as ended_at
    ), ended as (
        insert into ironcron.run_ended (run_id, fence, job_id, due_at, started_at, ended_at, duration, node_no,
                                        attempt, exit_code, trigger, state, failure, closes, error)
        select run_id, fence, job_id, due_at, started_at, ended_at, coalesce(duration, 0), node_no, attempt, exit_code,
               trigger, state, failure, trigger <> 3 and retry_at is null, error from gone
    ), waiting as (
        insert into ironcron.slot_waiting (job_id, due_at, retry_at, node_no, run_id, attempt, reason)
        select job_id, due_at, retry_at, node_no, run_id, attempt, 0
        from gone where trigger <> 3 and retry_at is not null
    ), jobs as (
        update ironcron.job b
        set running = b.running - l.ended, last_run = p_run[l.ord],
            last_success = greatest(b.last_success, l.succeeded)
        from (select job_id, count(*) as ended, max(ord) as ord, max(ended_at) filter (where state = 1) as succeeded
              from gone group by job_id order by job_id) l
        where b.job_id between l.job_id and l.job_id
    ), audits as (
        insert into ironcron.audit (at, node, events, jobs, run_ids, details)
        select p_now, p_node,
               array_agg((array['SUCCESS', 'FAILED', 'TIMED_OUT', 'LOST', 'CANCELLED', 'DRY_RUN'])[state]),
               array_agg(job), array_agg(run_id), array_agg(detail)
        from (select * from gone order by ord) g having count(*) > 0
    )
    select count(*) into v_count from gone;
    return v_count;
end $$;

-- Ends of different runs, guarded by id, fence and state. Answers which are stale, and which the run had
-- written itself. Where all are as they should be they end at once, else one after the other, and all is
-- locked before the first.
create function finish(p_node uuid, p_now bigint, p_run uuid[], p_fence bigint[], p_state bigint[],
    p_failure bigint[], p_exit bigint[], p_error text[], p_duration bigint[], p_retry bigint[],
    p_detail text[], p_settles boolean[])
returns table (stale int[], succeeded int[], at bigint) language plpgsql set lock_timeout = '500ms' as $$
declare v_now bigint := ironcron.now_ms(p_now); v_count int := cardinality(p_run); v_became int;
begin
    stale := '{}';
    succeeded := '{}';
    at := v_now;
    begin
        if ironcron.end_runs(p_node, v_now, p_run, p_fence, p_state, p_failure, p_exit, p_error, p_duration,
                             p_retry, p_detail) < v_count then
            raise exception using errcode = 'IC002';
        end if;
    exception when sqlstate 'IC002' then
        perform 1 from ironcron.run_started where run_id = any(p_run) order by run_id for update;
        perform 1 from ironcron.job
        where job_id in (select job_id from ironcron.run_started where run_id = any(p_run))
        order by job_id for no key update;
        for i in 1 .. v_count loop
            v_became := ironcron.finish_one(p_node, v_now, p_run[i:i], p_fence[i:i], p_state[i:i], p_failure[i:i],
                p_exit[i:i], p_error[i:i], p_duration[i:i], p_retry[i:i], p_detail[i:i], p_settles[i]);
            if v_became = 1 then
                stale := stale || i;
            elsif v_became = 2 then
                succeeded := succeeded || i;
            end if;
        end loop;
    end;
    return next;
end $$;

-- Answers what became of it: 0 it is written, 1 it is stale, 2 it had written its SUCCESS itself.
create function finish_one(p_node uuid, p_now bigint, p_run uuid[], p_fence bigint[], p_state bigint[],
    p_failure bigint[], p_exit bigint[], p_error text[], p_duration bigint[], p_retry bigint[],
    p_detail text[], p_settles boolean)
returns int language plpgsql as $$
declare r record;
begin
    if ironcron.end_runs(p_node, p_now, p_run, p_fence, p_state, p_failure, p_exit, p_error, p_duration,
                         p_retry, p_detail) = 1 then
        return 0;
    end if;
    select fence, state, job_id into r from ironcron.run where run_id = p_run[1];
    if r.fence = p_fence[1] and r.state = 1 and p_settles then
        return 2;
    elsif r.fence = p_fence[1] and r.state = p_state[1] then
        return 0; -- written before
    end if;
    perform ironcron.audit_add(p_now, 'STALE', (select name from ironcron.job where job_id = r.job_id), p_run[1], p_node,
                               null, p_detail[1]);
    return 1;
end $$;

-- The SUCCESS of a run whose effect is on this very database, in the transaction of that effect: both
-- are committed, or neither is. Called by whoever the job's database is connected to as, who must be
-- granted this function and the use of the schema, and nothing else.
create function finish_own(p_run uuid, p_fence bigint, p_duration bigint, p_detail text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare v_node uuid;
begin
    select n.node into v_node from ironcron.run_started r join ironcron.node n using (node_no)
    where r.run_id = p_run and r.fence = p_fence;
    if v_node is null or ironcron.end_runs(v_node, ironcron.now_ms(null), array[p_run], array[p_fence],
            array[1]::bigint[], array[0]::bigint[], array[null]::bigint[], array[null]::text[], array[p_duration],
            array[null]::bigint[], array[p_detail]) = 0 then
        raise exception using errcode = 'IC003',
            message = 'the run has been ended by somebody else meanwhile: what it did is rolled back';
    end if;
end $$;
revoke all on function finish_own(uuid, bigint, bigint, text) from public;

create function output_add_piece(p_run uuid, p_offset bigint, p_bytes bytea) returns void
language plpgsql set plan_cache_mode = force_custom_plan as $$
declare v_stored bigint;
begin
    if not exists (select from ironcron.run_started where run_id = p_run)
            and not exists (select from ironcron.run_ended where run_id = p_run) then
        raise exception using errcode = 'IC001',
            message = 'there is no such run to which output could belong';
    end if;
    select o.start + length(o.bytes) into v_stored from ironcron.output o where o.run_id = p_run
    order by o.start desc limit 1;
    v_stored := coalesce(v_stored, 0);
    if p_offset > v_stored then
        raise exception using errcode = 'IC001', message = 'a piece of output before this one is missing';
    end if;
    if v_stored - p_offset < length(p_bytes) then
        insert into ironcron.output
        values (p_run, v_stored, substr(p_bytes, (v_stored - p_offset)::int + 1));
    end if;
end $$;

-- Pieces of many runs, in order.
create function output_add(p_run uuid[], p_offset bigint[], p_bytes bytea[]) returns void language plpgsql as $$
begin
    perform ironcron.output_add_piece(run_id, start, bytes)
    from (select unnest(p_run) as run_id, unnest(p_offset) as start, unnest(p_bytes) as bytes) p;
end $$;
