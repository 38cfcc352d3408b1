-- Schema version 1: session locks, the second belt. (1768124271, node number) says that the node's
-- session is there, (1768124272, job) that a run of a job that forbids overlap is. Rows decide; a lock
-- that somebody else has keeps a run from starting where rows were lost.
set local search_path = ironcron, pg_temp;

-- When this server's timeline has risen, it was promoted: from now on each node can beat here.
create function see_timeline(p_timeline bigint) returns void language plpgsql as $$
begin
    update ironcron.meta set value = p_timeline where key = 'timeline' and value::bigint < p_timeline;
    if found then
        perform ironcron.meta_put('primary_since', ironcron.now_ms(null)::text);
    end if;
    insert into ironcron.meta values ('timeline', p_timeline) on conflict (key) do nothing;
end $$;

-- Ends the session that a node had, if it is still there and nobody else's (a pool hands them on), and
-- waits for that, but not for long. By number and start, since numbers come again.
create function end_session(p_no bigint) returns void language sql as $$
    select pg_terminate_backend(a.pid, 500)
    from ironcron.node n, pg_stat_get_activity(n.backend) a
    where n.node_no = p_no and n.backend is not null and a.backend_start = n.backend_start
      and a.pid <> pg_backend_pid() and not exists (
        select from ironcron.node o where o.node_no <> p_no and o.state = 'live' and o.backend = a.pid
                                      and o.backend_start = a.backend_start)
$$;

-- A session in a sentence for the log, with what ends it; null where there is none.
create function name_session(p_pid int) returns text language sql stable as $$
    select format('session %s (%s%s%s): select pg_terminate_backend(%s)', a.pid,
                  coalesce(nullif(a.application_name, ''), '?'),
                  ', connected since ' || to_char(a.backend_start at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                  ', in a transaction since ' || to_char(a.xact_start at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                  a.pid)
    from pg_stat_get_activity(p_pid) a where a.pid = p_pid -- of none: all of them
$$;

-- Tells this connection who has the lock of a job, where it is no live node: for the log, by a remark that
-- the server does not write into its own.
create function tell_holder(p_job bigint) returns void language plpgsql as $$
declare h record;
begin
    for h in select ironcron.name_session(l.pid) as who
             from pg_locks l join pg_database d on d.oid = l.database
             where l.locktype = 'advisory' and d.datname = current_database() and l.granted
               and l.classid = 1768124272 and l.objid = p_job and l.objsubid = 2
               and not exists (select from ironcron.node n where n.backend = l.pid and n.state = 'live')
    loop
        raise info using errcode = 'IC004', detail = p_job, message = coalesce(h.who, 'somebody');
    end loop;
end $$;

-- For a run that is about to be ours. Where a session of a node that does not live any more still has
-- the lock, it is ended; whoever else has it keeps it, and is named.
create function lock_job(p_job bigint) returns boolean language plpgsql as $$
declare h record;
begin
    if pg_try_advisory_lock(1768124272, p_job::int) then
        return true;
    end if;
    for h in select n.node_no
             from pg_locks l join pg_database d on d.oid = l.database
                 join ironcron.node n on n.backend = l.pid and n.state <> 'live'
             where l.locktype = 'advisory' and d.datname = current_database() and l.granted
               and l.classid = 1768124272 and l.objid = p_job and l.objsubid = 2
    loop
        perform ironcron.end_session(h.node_no);
    end loop;
    if pg_try_advisory_lock(1768124272, p_job::int) then
        return true;
    end if;
    perform ironcron.tell_holder(p_job);
    return false;
end $$;

-- The run that was about to be claimed does not start, since another session has its job's lock. The
-- job's row, ours until the commit, says what it was before.
create function locked_out(p_job bigint, p_skips boolean) returns void language sql as $$
    update ironcron.job
    set running = running - 1, high_water = case when p_skips then high_water else mark_before end,
        throttle = case when p_skips then throttle else throttle_before end
    where job_id = p_job
$$;

-- Runs that were claimed before, it was only not known: this session may be another one since then.
create function lock_again(p_verdicts int[], p_done int[], p_job bigint[], p_forbids boolean[]) returns void
language plpgsql as $$
begin
    for k in 1 .. cardinality(p_job) loop
        if p_verdicts[k] = 1 and p_forbids[k] and k <> all (coalesce(p_done, '{}'))
           and not ironcron.lock_job(p_job[k]) then
            raise exception using errcode = 'IC003', message = format(
                'the lock of job %s, of which this node has a run, is held by another session',
                (select name from ironcron.job where job_id = p_job[k]));
        end if;
    end loop;
end $$;

-- The locks of this session on jobs are to be those of these runs: others are let go, missing ones taken. Answers
-- those that are not to be had; not of a run that has ended, whose job's next one may be somebody else's.
create function lock_only(p_jobs bigint[], p_fences bigint[]) returns bigint[] language plpgsql as $$
declare v_busy bigint[] := '{}'; v_mine bigint[]; v_job bigint;
begin
    select coalesce(array_agg(l.objid::bigint), '{}') into v_mine from pg_locks l
    where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.classid = 1768124272 and l.objsubid = 2;
    foreach v_job in array v_mine loop
        continue when v_job = any(p_jobs);
        loop -- as often as it was taken
            perform pg_advisory_unlock(1768124272, v_job::int);
            exit when not exists (
                select from pg_locks l where l.locktype = 'advisory' and l.pid = pg_backend_pid()
                    and l.classid = 1768124272 and l.objid = v_job and l.objsubid = 2);
        end loop;
    end loop;
    for v_job in select distinct j from unnest(p_jobs) j where j <> all (v_mine) loop
        if not ironcron.lock_job(v_job) and exists (
                select from unnest(p_jobs, p_fences) h (job_id, fence)
                where h.job_id = v_job and not exists (select from ironcron.run_ended e where e.fence = h.fence)) then
            v_busy := v_busy || v_job;
        end if;
    end loop;
    return v_busy;
end $$;

-- After a run: answers how many of these locks this session did not have.
create function unlock_jobs(p_jobs bigint[]) returns bigint language sql as $$
    select count(*) from unnest(p_jobs) j where not pg_advisory_unlock(1768124272, j::int)
$$;

create function knows(p_node uuid, p_seen bigint, p_begun uuid, p_ended uuid) returns void language plpgsql as $$
declare v_unknown text;
begin
    if p_seen is not null and not exists (
        select from ironcron.node n left join ironcron.beat_beside b using (node_no)
        where n.node = p_node and greatest(n.last_seen, b.at) >= p_seen) then
        v_unknown := format('the sign of life of %s',
                            to_char(to_timestamp(p_seen / 1000.0) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'));
    elsif p_begun is not null and not exists (select from ironcron.run where run_id = p_begun) then
        v_unknown := format('the beginning of run %s', p_begun);
    elsif p_ended is not null and not exists (select from ironcron.run_ended where run_id = p_ended) then
        v_unknown := format('the end of run %s', p_ended);
    end if;
    if v_unknown is not null then
        raise exception using errcode = 'IC005', message = v_unknown;
    end if;
end $$;

-- A connection is about to be used for this node (null: for none yet), whose last one may still be there.
-- It holds what the node's last one held, and its rows know of the last thing that was acknowledged to the node
-- (one of p_seen, p_begun, p_ended), or it is not used.
create function link_up(p_node uuid, p_timeline bigint, p_jobs bigint[], p_fences bigint[], p_seen bigint, p_begun uuid,
                        p_ended uuid)
returns void language plpgsql as $$
declare n ironcron.node; v_busy bigint[];
begin
    perform ironcron.knows(p_node, p_seen, p_begun, p_ended);
    perform ironcron.see_timeline(p_timeline);
    select * into n from ironcron.node where node = p_node and state = 'live' for no key update;
    if not found then
        return; -- each operation will be told so
    end if;
    perform ironcron.end_session(n.node_no);
    perform ironcron.on_this_session(p_node);
    if not pg_try_advisory_lock(1768124271, n.node_no::int) then
        raise exception using errcode = 'IC003', message = 'another session still holds this node''s lock';
    end if;
    v_busy := ironcron.lock_only(p_jobs, p_fences);
    if v_busy <> '{}' then
        raise exception using errcode = 'IC003', message = format(
            'the lock of job %s, of which this node has a run, is held by another session',
            (select name from ironcron.job where job_id = v_busy[1]));
    end if;
end $$;
