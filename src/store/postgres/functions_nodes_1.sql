-- Schema version 1: what is done to the tables. One call is one operation of the store port, or a
-- part of one; the caller's transaction makes it whole. Every function takes the instant as p_now:
-- the database's clock decides (now_ms), but for tests, which bring their own.
--
-- Nodes never wait for each other in a ring: each transaction locks in this order, leaves out what it
-- does not need, and never goes back.
--   1. advisory lock 5 (one at a time declares others dead)
--   2. the node's own row (live_node, beat); under lock 5 those of others
--   3. advisory locks 4 (definitions), 1 (numbers of jobs), 2 (controls)
--   4. runs that end, by id
--   5. jobs, by number
--   6. what belongs to a job that is held: its slots, its runs that begin
--   7. slots and intents that are taken over, but those that somebody has in hand; rows of dead nodes, by number
--   8. the one row of pulse (tell)
-- Housekeeping shares none of these: lock 7 (pruning), then 3 (the chain). Days wait for tables for
-- 200 ms at most, which is less than the server waits before it looks for a ring. A new connection has
-- the timeline's row (link_up), then its node's. Session locks are tried, never waited for.
--
-- Strangers keep no order, and may have a row for long. Nobody waits for them for more than two seconds
-- (postgres_check.c), so that beats come in time: what many pass by is passed over (functions_strangers_1.sql; skip
-- locked here), and only what is done by hand, or at a start, waits for five.
set local search_path = ironcron, pg_temp;

create function now_ms(p_now bigint) returns bigint language sql volatile as $$
    select coalesce(p_now, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
$$;

create function not_live() returns void language plpgsql as $$
begin
    raise exception using errcode = 'IC001',
        message = 'this node is not live in the store: it was fenced or never joined';
end $$;

-- The number of a live node. Held until the commit: who fences the node waits, or has come before.
create function live_node(p_node uuid) returns bigint language plpgsql as $$
declare v_no bigint;
begin
    select node_no into v_no from ironcron.node where node = p_node and state = 'live' for share;
    if v_no is null then
        perform ironcron.not_live();
    end if;
    return v_no;
end $$;

create function audit_add(p_at bigint, p_event text, p_job text, p_run uuid, p_node uuid, p_actor text, p_detail text)
returns void language sql as $$
    insert into ironcron.audit (at, node, actor, events, jobs, run_ids, details)
    values (p_at, p_node, p_actor, array[p_event], case when p_job is not null then array[p_job] end,
            case when p_run is not null then array[p_run] end, case when p_detail is not null then array[p_detail] end)
$$;

-- Operators and definitions: each look at the store learns that something changed. The last thing in
-- a transaction, since all who change something wait for one row.
create function tell() returns void language sql as $$
    update ironcron.pulse set changes = changes + 1
$$;

-- ---- nodes ---------------------------------------------------------------------------------------

-- Since when this server could hear a node's beat, in the time of p_now: its start, and where it was
-- promoted, when that was first seen. Tests with a clock of their own have one that is always up.
create function up_since(p_now bigint) returns bigint language sql stable as $$
    select case when p_now is null
        then greatest(floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint,
                      (select value::bigint from ironcron.meta where key = 'primary_since'))
        else 0 end
$$;

create function is_overdue(p_node node, p_at bigint, p_up bigint) returns boolean language sql stable as $$
    select p_node.state = 'live' and p_node.valid_until + p_node.grace < p_at
        and not exists (select from ironcron.beat_beside b
                        where b.node_no = p_node.node_no and b.valid_until + p_node.grace >= p_at)
        and p_up + p_node.lease + p_node.grace < p_at
$$;

-- May a dead node have sessions at work in the databases of jobs that no live node is about to end? left_to is
-- the number of the one that is; null, when they have ended.
create function is_left(p_node node) returns boolean language sql stable as $$
    select p_node.left_to is not null
        and not exists (select from ironcron.node e where e.node_no = p_node.left_to and e.state = 'live')
$$;

-- Is there something left for others on a node that does not live, or drains? Only those are asked that
-- once had something, or drain. What a node that drains still runs is its own.
create function owes(p_node node) returns boolean language sql stable as $$
    select exists (select from ironcron.slot_waiting where node_no = p_node.node_no)
        or p_node.state <> 'live'
            and (ironcron.is_left(p_node)
                 or exists (select from ironcron.run_started where node_no = p_node.node_no)
                 or exists (select from ironcron.intent where state = 0 and node_no = p_node.node_no))
$$;

-- Do others take over what waits there?
create function hands_over(p_node node) returns boolean language sql immutable as $$
    select p_node.state <> 'live' or p_node.draining_since is not null
$$;

-- A sign of life where somebody has the node's row in hand, so that nobody dies of that. Who declares others
-- dead has come before, or comes after.
create function beat_beside(p_node uuid, p_now bigint) returns void language plpgsql as $$
declare n ironcron.node;
begin
    perform pg_advisory_xact_lock_shared(1768124270, 5);
    select * into n from ironcron.node where node = p_node and state = 'live';
    if n.node_no is null then
        perform ironcron.not_live();
    end if;
    insert into ironcron.beat_beside (node_no, at, valid_until) values (n.node_no, p_now, p_now + n.lease)
    on conflict (node_no) do update set at = excluded.at, valid_until = excluded.valid_until;
end $$;

create function beat(p_node uuid, p_now bigint, p_look boolean, p_running int, p_full boolean, p_draining boolean)
returns table (at bigint, changes bigint, version bigint, orphans boolean, node uuid, host text, labels text,
               dry_run boolean, draining boolean, is_full boolean, overdue boolean, unsealed boolean)
language plpgsql set enable_seqscan = off set lock_timeout = '500ms' as $$
#variable_conflict use_column
declare v_now bigint := ironcron.now_ms(p_now); v_up bigint := ironcron.up_since(p_now);
begin
    if p_look then
        perform from ironcron.node where node = p_node and state = 'live';
    else
        begin
            update ironcron.node set last_seen = v_now, valid_until = v_now + nullif(lease, 0), running = p_running,
                   is_full = p_full, draining = p_draining
            where node = p_node and state = 'live';
        exception when lock_not_available then
            perform ironcron.beat_beside(p_node, v_now);
        end;
    end if;
    if not found then
        perform ironcron.not_live();
    end if;
    return query
    select v_now, p.changes, p.version,
           exists (select from ironcron.node d where d.owes and d.node <> p_node and ironcron.owes(d)),
           n.node, n.host, n.labels, n.dry_run, n.draining, n.is_full, coalesce(ironcron.is_overdue(n, v_now, v_up), false),
           exists (select from ironcron.audit_gap)
               or coalesce((select max(id) from ironcron.audit)
                   > coalesce((select sealed_id from ironcron.audit_ends), 0), false)
    from ironcron.pulse p, ironcron.node n where n.state = 'live' order by n.node;
end $$;

create function leave(p_node uuid, p_now bigint) returns void language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    update ironcron.node set last_seen = v_now, running = 0, state = 'stopped', backend = null
    where node = p_node and state = 'live';
    if found then
        update ironcron.node n set owes = ironcron.owes(n) where n.node = p_node;
        perform ironcron.audit_add(v_now, 'NODE_STOPPED', null, null, p_node, null, null);
    elsif not exists (select from ironcron.node where node = p_node and state = 'stopped') then
        perform ironcron.live_node(p_node); -- raises
    end if;
end $$;

-- What a node says of itself.
create function report(p_node uuid, p_now bigint, p_definitions bigint, p_refused text, p_draining_since bigint,
                       p_actor text, p_as text, p_reason text, p_detail text) returns void language plpgsql as $$
declare v_was ironcron.node; v_drains boolean := p_draining_since is not null;
begin
    select * into v_was from ironcron.node where node = p_node and state = 'live' for no key update;
    if not found then
        perform ironcron.live_node(p_node); -- raises
    end if;
    update ironcron.node set definitions = p_definitions, refused = p_refused, draining_since = p_draining_since,
           draining_by = case when v_drains then p_actor end, draining_as = case when v_drains then p_as end,
           draining_reason = case when v_drains then p_reason end,
           draining = case when v_drains <> (v_was.draining_since is not null) then v_drains else draining end,
           owes = v_drains
    where node_no = v_was.node_no;
    if v_drains <> (v_was.draining_since is not null) then
        perform ironcron.audit_add(ironcron.now_ms(p_now), case when v_drains then 'NODE_DRAINED' else 'NODE_RESUMED' end,
                                   null, null, p_node, p_actor, p_detail);
    end if;
    if v_drains then
        update ironcron.intent set node_no = null where state = 0 and kind = 3 and node_no = v_was.node_no;
    end if;
    if v_drains or v_was.draining_since is not null then
        perform ironcron.tell();
    end if;
end $$;

-- The connection on which a node's operations come: who fences the node ends it.
create function on_this_session(p_node uuid) returns void language sql as $$
    update ironcron.node set backend = pg_backend_pid(),
           backend_start = (select backend_start from pg_stat_get_activity(pg_backend_pid()))
    where node = p_node and state = 'live'
$$;

-- Runs of nodes that do not live.
create function lost_runs() returns bigint[] language sql stable as $$
    select coalesce(array_agg(r.fence order by r.fence), '{}')
    from ironcron.run_started r join ironcron.node n using (node_no) where n.state <> 'live'
$$;

-- Each run may have a lock, and so has each node. The server's table has room for so many at least; a
-- quarter of it is other programs'.
create function check_room(p_max_running int, p_but uuid) returns void language plpgsql stable as $$
declare
    v_each int := current_setting('max_locks_per_transaction');
    v_sessions int := current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int;
    v_wanted bigint := p_max_running + 1
        + (select coalesce(sum(max_running + 1), 0) from ironcron.node
           where state = 'live' and node is distinct from p_but);
begin
    if v_wanted > v_each * v_sessions * 3 / 4 then
        raise exception using errcode = 'IC001', message = format(
            'the live nodes together may run %s jobs at once, and the store''s server has room for %s locks',
            v_wanted, v_each * v_sessions), hint = format(
            'raise max_locks_per_transaction there from %s to %s and start it again, or lower node.max_running',
            v_each, v_wanted * 4 / 3 / v_sessions + 1);
    end if;
end $$;

-- What a node was told that did not leave by itself its successor was told.
create function join_new(p_node uuid, p_now bigint, p_host text, p_version text, p_detail text, p_alone boolean,
    p_dead uuid, p_lease bigint, p_grace bigint, p_dry_run boolean, p_max_running int, p_labels text)
returns void language plpgsql as $$
declare v_no bigint; d ironcron.node;
begin
    perform ironcron.audit_add(p_now, 'NODE_STARTED', null, null, p_node, null, p_detail);
    update ironcron.node set state = 'lost', running = 0, owes = true, left_to = 0
    where state = 'live' and (p_alone or node = p_dead);
    perform ironcron.check_room(p_max_running, p_node);
    select * into d from ironcron.node where node = p_dead and state <> 'stopped' and draining_since is not null;
    insert into ironcron.node (node, host, version, started_at, last_seen, state, running, lease, grace, valid_until,
                               dry_run, max_running, labels, lost_runs, draining, owes, draining_since, draining_by,
                               draining_as, draining_reason)
    values (p_node, p_host, p_version, p_now, p_now, 'live', 0, p_lease, p_grace, p_now + nullif(p_lease, 0),
            p_dry_run, p_max_running, p_labels, ironcron.lost_runs(), d.node is not null, d.node is not null,
            d.draining_since, d.draining_by, d.draining_as, d.draining_reason)
    returning node_no into v_no;
    update ironcron.node o set left_to = v_no where (p_alone or o.node = p_dead) and ironcron.is_left(o);
end $$;

-- A new node. Its caller has proved that those before it are dead: all (p_alone), or one. A repeat
-- answers the same.
create function join_begin(p_node uuid, p_now bigint, p_host text, p_version text, p_detail text, p_alone boolean,
    p_dead uuid, p_lease bigint, p_grace bigint, p_dry_run boolean, p_max_running int, p_labels text)
returns table (at bigint, is_new boolean, draining_since bigint, draining_by text, draining_as text,
               draining_reason text) language plpgsql set lock_timeout = '5s' as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    perform pg_advisory_xact_lock(1768124270, 5); -- one at a time declares others dead
    is_new := not exists (select from ironcron.node where node = p_node);
    if is_new then
        perform ironcron.join_new(p_node, v_now, p_host, p_version, p_detail, p_alone, p_dead, p_lease, p_grace,
                                  p_dry_run, p_max_running, p_labels);
    else
        perform ironcron.live_node(p_node);
    end if;
    perform ironcron.on_this_session(p_node);
    perform pg_try_advisory_lock(1768124271, (select node_no from ironcron.node where node = p_node)::int) where is_new;
    return query select v_now, is_new, n.draining_since, n.draining_by, n.draining_as, n.draining_reason
                 from ironcron.node n where n.node = p_node;
end $$;

-- Not, where it has beaten after all, or somebody has its row in hand for longer than a claim takes: that may
-- be its own session, which is ended. The next time, then.
create function declare_dead(p_no bigint, p_at bigint, p_up bigint, p_by bigint) returns boolean
language plpgsql set lock_timeout = '1500ms' as $$
begin
    update ironcron.node o set state = 'lost', running = 0, owes = true, left_to = p_by
    where o.node_no = p_no and ironcron.is_overdue(o, p_at, p_up);
    return found;
exception when lock_not_available then
    perform ironcron.end_session(p_no);
    return false;
end $$;

-- Who has not been heard of for too long is dead. Each claim holds its node's row: it has come before,
-- and is among the runs that are lost, or it finds its node dead. Under the id of its last fencing a node is
-- told again whom and what that one found.
create function fence_begin(p_node uuid, p_now bigint, p_id uuid)
returns table (at bigint, fenced uuid[], fenced_count int)
language plpgsql as $$
declare
    v_now bigint := ironcron.now_ms(p_now);
    v_up bigint := ironcron.up_since(p_now);
    v_no bigint;
    v_fenced uuid[] := '{}';
    v_lost bigint[] := '{}';
    n record;
begin
    perform pg_advisory_xact_lock(1768124270, 5);
    v_no := ironcron.live_node(p_node);
    select fencing_nodes, fencing_runs into n from ironcron.node where node_no = v_no and fencing = p_id;
    if found then
        v_fenced := n.fencing_nodes;
        v_lost := n.fencing_runs;
    end if;
    for n in select o.node_no, o.node, o.host from ironcron.node o
             where ironcron.is_overdue(o, v_now, v_up) and o.node <> p_node order by o.node
    loop
        continue when not ironcron.declare_dead(n.node_no, v_now, v_up, v_no);
        v_fenced := v_fenced || n.node;
        perform ironcron.audit_add(v_now, 'NODE_FENCED', null, null, p_node, null,
            format('{"host":%s,"node":"%s"}', to_json(n.host), n.node));
    end loop;
    v_lost := v_lost || ironcron.lost_runs();
    update ironcron.node set fencing = p_id, fencing_nodes = v_fenced, fencing_runs = v_lost
    where node_no = v_no and cardinality(v_fenced) + cardinality(v_lost) > 0;
    return query select v_now, v_fenced, cardinality(v_fenced);
end $$;

-- The sessions in which dead nodes did the work of these runs on this very database: one that nobody talks
-- to any more may have a run's row for as long as the server lets it. Of other roles than ours they stay.
create function end_work(p_run uuid[]) returns void language sql as $$
    select pg_terminate_backend(a.pid, 500)
    from (select distinct node_no from ironcron.run_started where run_id = any(p_run)) r
        join ironcron.node n using (node_no)
        join pg_stat_activity a on left(a.application_name, 21) = 'ironcron/' || right(n.node::text, 12)
    where n.state <> 'live' and a.datname = current_database() and a.pid <> pg_backend_pid()
      and pg_has_role(a.usesysid, 'USAGE')
$$;

-- Held until the commit; those that somebody else has in hand are left for the next time.
create function runs_to_lose(p_fences bigint[]) returns table (run_id uuid, job_id bigint, due_at bigint,
    trigger smallint, attempt int, job text) language plpgsql as $$
#variable_conflict use_column
declare v_runs uuid[] := array(select run_id from ironcron.run_started where fence = any(p_fences)); v_held uuid[];
begin
    perform ironcron.end_work(v_runs);
    v_held := ironcron.hold_runs(v_runs);
    return query
    select r.run_id, r.job_id, r.due_at, r.trigger, r.attempt, j.name
    from ironcron.run r join ironcron.job j using (job_id)
    where r.fence = any(p_fences) and (r.state <> 0 or r.run_id = any(v_held)) order by r.fence;
end $$;

-- Guarded by state: who ended meanwhile is not lost. p_retry: for each, or null.
create function lose(p_node uuid, p_now bigint, p_error text, p_run uuid[], p_retry bigint[])
returns void language plpgsql as $$
declare c int[] := array[cardinality(p_run)];
begin
    perform ironcron.end_runs(p_node, ironcron.now_ms(p_now), p_run, array_fill(null::bigint, c), array_fill(4::bigint, c),
        array_fill(4::bigint, c), array_fill(null::bigint, c), array_fill(p_error, c), array_fill(null::bigint, c), p_retry,
        array_fill(null::text, c));
end $$;

-- What waits on nodes that do not live, or drain, becomes this one's, if it is to, but for slots of some
-- jobs, and intents, which are for whoever may carry them out; and so do sessions of dead nodes that are
-- nobody's to end, but for those of p_ended. What somebody has in hand just now is left for the next time.
create function take_over(p_node uuid, p_adopts boolean, p_except bigint[], p_ended uuid[]) returns void
language plpgsql as $$
declare v_no bigint;
begin
    select node_no into v_no from ironcron.node where node = p_node;
    if p_adopts then
        update ironcron.slot_waiting s set node_no = v_no
        from (select w.job_id, w.due_at from ironcron.slot_waiting w join ironcron.node n using (node_no)
              where ironcron.hands_over(n) and n.node_no <> v_no and w.job_id <> all (p_except)
              for update of w skip locked) w
        where s.job_id = w.job_id and s.due_at = w.due_at;
        update ironcron.intent i set node_no = null
        from (select w.id from ironcron.intent w join ironcron.node n using (node_no)
              where w.state = 0 and n.state <> 'live' for update of w skip locked) w
        where i.id = w.id;
        update ironcron.node n set left_to = case when n.node <> all (p_ended) then v_no end
        from (select o.node_no from ironcron.node o
              where o.owes and o.left_to is not null and (o.node = any (p_ended) or ironcron.is_left(o))
              order by o.node_no for no key update skip locked) o
        where n.node_no = o.node_no;
    end if;
    update ironcron.node n set owes = false
    from (select o.node_no from ironcron.node o where o.owes and o.state <> 'live' order by o.node_no
          for no key update skip locked) o
    where n.node_no = o.node_no and n.left_to is null and not ironcron.owes(n);
end $$;

-- The sessions of nodes that were declared dead: they hold locks, and may not know yet.
create function end_sessions() returns void language plpgsql as $$
begin
    perform ironcron.end_session(n.node_no) from ironcron.node n where n.state = 'lost' and n.backend is not null;
    update ironcron.node n set backend = null
    from (select o.node_no from ironcron.node o where o.state = 'lost' and o.backend is not null order by o.node_no
          for no key update skip locked) o
    where n.node_no = o.node_no
        and not exists (select from pg_stat_get_activity(n.backend) a where a.backend_start = n.backend_start);
end $$;

-- ---- versions ------------------------------------------------------------------------------------

-- Until the commit no other version becomes active.
create function is_outdated(p_version bigint) returns boolean language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(1768124270, 4);
    return p_version <> (select version from ironcron.pulse);
end $$;

-- What becomes active is a new version also where its text was seen before: else whoever went by that text all
-- along would not see that another one was published in between.
create function activate(p_node uuid, p_now bigint, p_actor text, p_hash text, p_text text, p_always boolean)
returns table (active bigint, activated boolean) language plpgsql set lock_timeout = '5s' as $$
declare v_now bigint := ironcron.now_ms(p_now); v_active bigint; v_version bigint;
begin
    perform ironcron.live_node(p_node);
    perform pg_advisory_xact_lock(1768124270, 4);
    select p.version into v_active from ironcron.pulse p;
    select max(d.version) into v_version from ironcron.definition d where d.hash = p_hash;
    if v_version = v_active or v_version is not null and not p_always then
        return query select v_active, false;
        return;
    end if;
    insert into ironcron.definition (version, hash, text, actor, published_at)
    values ((select coalesce(max(version), 0) + 1 from ironcron.definition), p_hash, p_text, p_actor, v_now)
    returning version into v_version;
    perform ironcron.audit_add(v_now, 'VERSION_ACTIVATED', null, null, p_node, p_actor,
        format('{"hash":%s,"version":%s}', to_json(p_hash), v_version));
    update ironcron.pulse set version = v_version;
    perform ironcron.tell();
    return query select v_version, true;
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
    update published p set job_id = j.job_id, mark = greatest(p_at, j.high_water)
    from ironcron.job j where j.name = p.name;
    delete from published p using ironcron.in_force f
    where f.job_id = p.job_id and f.to_ms is null and f.spec = p.spec;
    delete from published p where p.spec is null
        and not exists (select from ironcron.in_force f where f.job_id = p.job_id and f.to_ms is null);
    -- Nor does it begin before the one before it has ended, though it is added again by a clock that went back.
    update published p set mark = greatest(p.mark, (select max(f.to_ms) from ironcron.in_force f where f.job_id = p.job_id));
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
create function publish(p_node uuid, p_now bigint, p_version bigint, p_actor text, p_detail text, p_at bigint,
                        p_name text[], p_spec text[])
returns table (job_ids bigint[], changed boolean, outdated boolean) language plpgsql set lock_timeout = '5s' as $$
declare v_changed boolean := false;
begin
    if p_node is not null then
        perform ironcron.live_node(p_node);
    end if;
    if ironcron.is_outdated(p_version) then
        return query select '{}'::bigint[], false, true;
        return;
    end if;
    perform pg_advisory_xact_lock(1768124270, 1); -- numbers of jobs are given out by one at a time
    -- What stays as it is may be in somebody's hand.
    perform set_config('lock_timeout', '500ms', true);
    perform 1 from ironcron.job where job_id in (
        select j.job_id
        from unnest(p_name, p_spec) as i (name, spec) join ironcron.job j using (name)
            left join ironcron.in_force f on f.job_id = j.job_id and f.to_ms is null
        where f.spec is distinct from i.spec)
    order by job_id for no key update;
    if (select count(distinct n) = count(*) from unnest(p_name) n) then
        v_changed := ironcron.publish_items(p_at, p_name, p_spec);
    else
        for i in 1 .. cardinality(p_name) loop
            v_changed := ironcron.publish_items(p_at, p_name[i:i], p_spec[i:i]) or v_changed;
        end loop;
    end if;
    if v_changed then
        perform ironcron.audit_add(ironcron.now_ms(p_now), 'CONFIG_PUBLISHED', null, null, p_node,
                                   p_actor, p_detail);
    end if;
    return query
    select coalesce(array_agg(coalesce(j.job_id, 0) order by i.ord), '{}'), v_changed, false
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
    perform ironcron.audit_add(ironcron.now_ms(p_now), p_event, p_job, null, null, p_actor, p_detail);
    perform ironcron.tell();
    return true;
end $$;

create function intent_put(p_now bigint, p_id uuid, p_kind int, p_job text, p_run uuid, p_params text,
                           p_dry_run boolean, p_actor text, p_as text, p_reason text)
returns bigint language plpgsql as $$
declare v_now bigint := ironcron.now_ms(p_now);
begin
    insert into ironcron.intent (intent_id, kind, job, run_id, params, dry_run, actor, acts_as, reason,
                                 created_at, state)
    values (p_id, p_kind, p_job, p_run, p_params, p_dry_run, p_actor, p_as, p_reason, v_now, 0)
    on conflict (intent_id) do nothing;
    if found then
        perform ironcron.tell();
    end if;
    return v_now;
end $$;

-- Whose is it? The first one's, for as long as that one lives. Of the backfills (kind 3) of one job, which
-- is held so that two do not begin at once, one goes on; it is named to the others.
create function intent_own(p_node uuid, p_id uuid) returns table (own boolean, behind uuid) language plpgsql as $$
declare v_no bigint := ironcron.live_node(p_node); i ironcron.intent;
begin
    own := false;
    select * into i from ironcron.intent where intent_id = p_id for no key update skip locked;
    if not found then
        return next; -- somebody has it in hand: the next time
        return;
    end if;
    if i.state = 0 and i.kind = 3 and i.node_no is null then
        perform 1 from ironcron.job where name = i.job for no key update skip locked;
        if not found and exists (select from ironcron.job where name = i.job) then
            return next;
            return;
        end if;
        select o.intent_id into behind from ironcron.intent o
        where o.state = 0 and o.kind = 3 and o.job = i.job and o.id <> i.id and (o.id < i.id or o.node_no is not null)
        order by o.id limit 1;
    end if;
    update ironcron.intent w set node_no = v_no
    where behind is null and w.intent_id = p_id and w.state = 0 and (w.node_no is null or w.node_no = v_no
        or not exists (select from ironcron.node n where n.node_no = w.node_no and n.state = 'live'));
    own := found;
    return next;
end $$;

create function intent_end(p_id uuid, p_state int, p_run uuid, p_answer text) returns void
language plpgsql as $$
begin
    update ironcron.intent set state = p_state, run_id = coalesce(p_run, run_id), answer = p_answer,
           params = null where intent_id = p_id and state = 0;
    if not found and not exists (select from ironcron.intent where intent_id = p_id) then
        raise exception using errcode = 'IC001', message = 'there is no such intent';
    end if;
end $$;
