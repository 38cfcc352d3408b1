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
