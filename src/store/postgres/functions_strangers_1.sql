-- Schema version 1: rows that somebody has in hand for long: a transaction that was left open, say. Who
-- decides or ends something waits for half a second (functions_slots_1.sql), and goes again by these
-- functions then: they pass over what is not to be had at once, say who has it, and do the rest.
set local search_path = ironcron, pg_temp;

-- The transactions that may be behind an xmax: it is one, or stands for several.
create function lockers(p_xmax xid) returns setof xid language plpgsql as $$
begin
    return next p_xmax;
    begin
        return query select m.xid from pg_get_multixact_members(p_xmax) m;
    exception when others then
        null; -- it is one
    end;
end $$;

-- The session is a live node's: its own, or the one on which its runs end.
create function is_nodes(p_pid int) returns boolean language sql stable as $$
    select exists (select from ironcron.node n left join pg_stat_get_activity(p_pid) a on true
                   where n.state = 'live' and (n.backend = p_pid
                       or a.application_name = format('ironcron/%s/ends', right(n.node::text, 12))))
$$;

-- Tells this connection who has these rows, where it is no live node: see tell_holder. A few stand for all.
create function tell_strangers(p_jobs bigint[], p_runs uuid[]) returns void language plpgsql as $$
declare h record;
begin
    for h in
        with held as (select transactionid, pid from pg_locks where locktype = 'transactionid' and granted)
        select distinct on (k.job_id) k.job_id,
               coalesce(ironcron.name_session(l.pid),
                        format('the prepared transaction %s: rollback prepared %L', p.gid, p.gid)) as who
        from (select job_id, xmax from ironcron.job where job_id = any(p_jobs)
              union all
              select job_id, xmax from ironcron.run_started where run_id = any(p_runs) limit 20) k
            cross join ironcron.lockers(k.xmax) x join held l on l.transactionid = x
            left join pg_prepared_xacts p on p.transaction = x
        where not coalesce(ironcron.is_nodes(l.pid), false)
    loop
        raise info using errcode = 'IC004', detail = h.job_id, message = coalesce(h.who, 'somebody');
    end loop;
end $$;

-- Holds the jobs that are to be had at once. Answers the others.
create function hold_jobs(p_jobs bigint[]) returns bigint[] language plpgsql as $$
declare v_held bigint[]; v_passed bigint[];
begin
    perform ironcron.know_jobs(p_jobs);
    v_held := array(select job_id from ironcron.job where job_id = any(p_jobs)
                    order by job_id for no key update skip locked);
    v_passed := array(select distinct j from unnest(p_jobs) j where j <> all (v_held));
    perform ironcron.tell_strangers(v_passed, '{}');
    return v_passed;
end $$;

-- Holds those of these runs that are STARTED and to be had at once, and their jobs with them.
create function hold_runs(p_runs uuid[]) returns uuid[] language plpgsql as $$
declare v_runs uuid[]; v_jobs bigint[];
begin
    v_runs := array(select run_id from ironcron.run_started where run_id = any(p_runs)
                    order by run_id for update skip locked);
    v_jobs := array(select job_id from ironcron.job
                    where job_id in (select job_id from ironcron.run_started where run_id = any(v_runs))
                    order by job_id for no key update skip locked);
    return array(select run_id from ironcron.run_started where run_id = any(v_runs) and job_id = any(v_jobs));
end $$;

-- Those of these numbers, in their order.
create function pick(p_of anyarray, p_ord int[]) returns anyarray language sql immutable as $$
    select array(select p_of[o] from unnest(p_ord) o);
$$;

-- ---- deciding ------------------------------------------------------------------------------------

-- What is passed over stays so for the whole operation, so that no later slot goes before an earlier one.
create function decide_begin_passing(p_node uuid, p_version bigint, p_jobs bigint[]) returns boolean
language plpgsql as $$
declare v_outdated boolean := ironcron.decide_begin(p_node, p_version, null);
begin
    perform set_config('ironcron.passed', ironcron.hold_jobs(p_jobs)::text, true);
    return v_outdated;
end $$;

create function decide_scheduled_passing(p_no bigint, p_node uuid, p_now bigint, p_actor text,
    p_job bigint[], p_due bigint[], p_decision bigint[], p_trigger bigint[], p_attempt bigint[], p_run uuid[],
    p_reason bigint[], p_forbids boolean[], p_skips boolean[], p_throttle bigint[], p_wait bigint[],
    p_detail text[], p_overlap_detail text[])
returns answers language plpgsql as $$
declare
    v_passed bigint[] := current_setting('ironcron.passed');
    v_ord int[];
    v_count int[] := array[cardinality(p_job)];
    a ironcron.answers;
    d ironcron.answers;
begin
    v_ord := array(select ord from unnest(p_job) with ordinality as i (job_id, ord) where job_id <> all (v_passed));
    a.verdicts := array_fill(5, v_count);
    a.fences := array_fill(0, v_count);
    a.started_at := array_fill(null::bigint, v_count);
    if v_ord = '{}' then
        return a;
    end if;
    d := ironcron.decide_scheduled(p_no, p_node, p_now, p_actor, ironcron.pick(p_job, v_ord),
        ironcron.pick(p_due, v_ord), ironcron.pick(p_decision, v_ord), ironcron.pick(p_trigger, v_ord),
        ironcron.pick(p_attempt, v_ord), ironcron.pick(p_run, v_ord), ironcron.pick(p_reason, v_ord),
        ironcron.pick(p_forbids, v_ord), ironcron.pick(p_skips, v_ord), ironcron.pick(p_throttle, v_ord),
        ironcron.pick(p_wait, v_ord), ironcron.pick(p_detail, v_ord), ironcron.pick(p_overlap_detail, v_ord));
    for k in 1 .. cardinality(v_ord) loop
        a.verdicts[v_ord[k]] := d.verdicts[k];
        a.fences[v_ord[k]] := d.fences[k];
        a.started_at[v_ord[k]] := d.started_at[k];
    end loop;
    return a;
end $$;

create function decide_other_passing(p_no bigint, p_node uuid, p_now bigint, p_actor text, p_job bigint,
    p_due bigint, p_decision int, p_trigger int, p_attempt int, p_run uuid, p_reason int,
    p_forbids boolean, p_skips boolean, p_by_hand boolean, p_detail text, p_overlap_detail text)
returns setof answer language plpgsql as $$
begin
    if p_job = any (current_setting('ironcron.passed')::bigint[]) then
        return next row(1, 5, 0, null)::ironcron.answer;
    else
        return query select * from ironcron.decide_other(p_no, p_node, p_now, p_actor, p_job, p_due, p_decision, p_trigger,
            p_attempt, p_run, p_reason, p_forbids, p_skips, p_by_hand, p_detail, p_overlap_detail);
    end if;
end $$;

-- ---- ending --------------------------------------------------------------------------------------

-- As finish, for those that are to be had. `later` are the others, and `later_jobs` theirs.
create function finish_passing(p_node uuid, p_now bigint, p_run uuid[], p_fence bigint[], p_state bigint[],
    p_failure bigint[], p_exit bigint[], p_error text[], p_duration bigint[], p_retry bigint[],
    p_detail text[], p_settles boolean[])
returns table (stale int[], succeeded int[], at bigint, later int[], later_jobs bigint[]) language plpgsql as $$
declare v_held uuid[] := ironcron.hold_runs(p_run); v_ord int[]; f record;
begin
    select coalesce(array_agg(i.ord), '{}'), coalesce(array_agg(r.job_id), '{}') into later, later_jobs
    from unnest(p_run) with ordinality as i (run_id, ord) join ironcron.run_started r using (run_id)
    where r.run_id <> all (v_held);
    perform ironcron.tell_strangers(later_jobs, ironcron.pick(p_run, later));
    v_ord := array(select o from generate_series(1, cardinality(p_run)) o where o <> all (later));
    select * into f from ironcron.finish(p_node, p_now, ironcron.pick(p_run, v_ord),
        ironcron.pick(p_fence, v_ord), ironcron.pick(p_state, v_ord), ironcron.pick(p_failure, v_ord),
        ironcron.pick(p_exit, v_ord), ironcron.pick(p_error, v_ord), ironcron.pick(p_duration, v_ord),
        ironcron.pick(p_retry, v_ord), ironcron.pick(p_detail, v_ord), ironcron.pick(p_settles, v_ord));
    stale := ironcron.pick(v_ord, f.stale);
    succeeded := ironcron.pick(v_ord, f.succeeded);
    at := f.at;
    return next;
end $$;
