-- Schema version 1: what is done to the chain, and what history lets go.
set local search_path = ironcron, pg_temp;

-- ---- the chain -----------------------------------------------------------------------------------

-- The sealer reads what waits, hashes it while others are served, and comes back. One writes at a time, and
-- only if the chain's head is still the one that was read.

-- Up to which number all was looked at, and the head of the chain: as it was noted, so that what was cut off is not
-- sealed over; but never below what the seals say, since no number is given twice.
create function seal_head() returns table (sealed_id bigint, head_seq bigint, head_hash bytea)
language sql stable as $$
    select greatest(0, (select e.sealed_id from ironcron.audit_ends e),
                    (select s.id + cardinality(s.starts) - 1 from ironcron.audit_seal s order by s.id desc limit 1)),
           h.seq, h.hash
    from ((select 1 as nth, e.head_seq as seq, e.head_hash as hash from ironcron.audit_ends e)
          union all
          (select 2, s.seq + length(s.hashes) / 32 - 1, substr(s.hashes, length(s.hashes) - 31)
           from ironcron.audit_seal s order by s.seq desc limit 1)
          union all
          (select 3, e.anchor_seq, e.anchor_hash from ironcron.audit_ends e)
          union all
          select 4, 0, decode(repeat('00', 32), 'hex')) h
    order by h.seq desc, h.nth limit 1
$$;

-- Of the chain, at a sequence; null where it does not go so far, or is pruned there.
create function hash_at(p_seq bigint) returns text language sql stable as $$
    select case when p_seq < s.seq + length(s.hashes) / 32
                then encode(substr(s.hashes, ((p_seq - s.seq) * 32 + 1)::int, 32), 'hex')
                when p_seq <= (select head_seq from ironcron.audit_ends) then 'cut off' end
    from (select * from ironcron.audit_seal where seq <= p_seq order by seq desc limit 1) s
$$;

-- Rows that wait, oldest first: what lies above the last number that was looked at, and what has come to
-- light in the gaps below it. Up to p_limit events, and half a megabyte of details as they are stored: the first row
-- in any case. later: there are more.
create function seal_rows(p_limit bigint)
returns table (id bigint, at bigint, node uuid, actor text, events text[], jobs text[], run_ids uuid[], details text[],
               later boolean)
language plpgsql set plan_cache_mode = force_custom_plan set enable_mergejoin = off set enable_seqscan = off set jit = off as $$
declare v_sealed bigint := (select sealed_id from ironcron.seal_head());
begin
    return query
    with waiting as (
        (select a.* from ironcron.audit_gap g, lateral (
             select * from ironcron.audit a where a.id between g.id_from and g.id_to order by a.id limit p_limit + 1) a)
        union all
        (select a.* from ironcron.audit a where a.id > v_sealed order by a.id limit p_limit + 1)
        order by 1 limit p_limit + 1
    )
    select w.id, w.at, w.node, w.actor, w.events, w.jobs, w.run_ids, w.details, w.later
    from (select *, sum(w.rows) over up_to_here as events_so_far, sum(pg_column_size(w.details)) over up_to_here as bytes,
                 row_number() over up_to_here as nth, lead(w.id) over up_to_here is not null as later
          from waiting w window up_to_here as (order by w.id)) w
    where w.nth = 1 or (w.events_so_far <= p_limit and coalesce(w.bytes, 0) <= 524288)
    order by w.id;
end $$;

-- A gap is over when all have ended that were there when it was noted, and nothing is in it: one
-- statement sees both.
create function forget_gaps() returns void language sql as $$
    delete from ironcron.audit_gap g
    where g.noted < pg_snapshot_xmin(pg_current_snapshot())
      and coalesce((select min(a.id) from ironcron.audit a where a.id >= g.id_from) > g.id_to, true)
$$;

-- p_id: the first number of each block of the chain. p_gap_from, p_gap_to: numbers above p_was_sealed that
-- were not there. False: the head is not that any more.
create function seal(p_was_sealed bigint, p_was_seq bigint, p_sealed bigint, p_seq bigint[], p_id bigint[],
                     p_starts text[], p_prev bytea[], p_hashes bytea[], p_gap_from bigint[], p_gap_to bigint[])
returns boolean language plpgsql as $$
declare v_last int := cardinality(p_seq);
begin
    perform pg_advisory_xact_lock(1768124270, 3);
    if not exists (select from ironcron.seal_head() h where h.sealed_id = p_was_sealed and h.head_seq = p_was_seq) then
        return false;
    end if;
    insert into ironcron.audit_seal (seq, id, starts, prev, hashes)
    select seq, id, starts::smallint[], prev, hashes
    from unnest(p_seq, p_id, p_starts, p_prev, p_hashes) as b (seq, id, starts, prev, hashes);
    if exists (select from ironcron.audit_gap) then
        with late as (
            select int8range(i.id, i.id + cardinality(i.starts::smallint[])) as ids
            from unnest(p_id, p_starts) as i (id, starts)
        ), open as (
            delete from ironcron.audit_gap g using late l
            where int8range(g.id_from, g.id_to, '[]') && l.ids returning g.*
        )
        insert into ironcron.audit_gap
        select lower(r), upper(r) - 1, o.noted
        from (select distinct * from open) o,
            unnest(int8multirange(int8range(o.id_from, o.id_to, '[]'))
                   - (select range_agg(l.ids) from late l)) as r;
    end if;
    insert into ironcron.audit_gap
    select g.id_from, g.id_to, pg_current_xact_id() from unnest(p_gap_from, p_gap_to) as g (id_from, id_to);
    update ironcron.audit_ends
    set sealed_id = p_sealed, head_seq = p_seq[v_last] + length(p_hashes[v_last]) / 32 - 1,
        head_hash = substr(p_hashes[v_last], length(p_hashes[v_last]) - 31);
    return true;
end $$;

-- What is wrong with how the chain is kept, and does not show in what audit_row gives: rows that it never shows
-- though the sealer has passed them, or shows twice, and seals that do not follow one another.
create function audit_faults() returns table (at bigint, fault text) language sql stable set jit = off as $$
    with piece as (
        select id, id + cardinality(starts) as next from ironcron.audit_seal
        union all select id_from, id_to + 1 from ironcron.audit_gap
    ), sealed as (
        select coalesce(range_agg(int8range(id, next)), '{}') as ids from piece
    ), twice as (
        select min(t.id) as id, count(*) as pieces
        from (select p.id, lag(p.next) over (order by p.id, p.next) > p.id as overlaps from piece p) t where t.overlaps
    ), hidden as (
        select min(a.at) as at, count(*) as rows, min(a.id) as id
        from ironcron.audit a, sealed s
        where a.id <= (select sealed_id from ironcron.audit_ends) and not a.id <@ s.ids
    ), seam as (
        select s.seq, s.id, s.seq + length(s.hashes) / 32 as next,
               lead(s.seq, 1, (select head_seq + 1 from ironcron.audit_ends)) over (order by s.seq) as follower
        from ironcron.audit_seal s
    )
    (select h.at, format('%s rows of ironcron.audit, the first with id %s, are in no seal, though the sealer has passed '
                         'them, so that audit_log does not show them', h.rows, h.id)
     from hidden h where h.rows > 0)
    union all
    (select (select a.at from ironcron.audit a where a.id >= t.id order by a.id limit 1),
            format('rows of ironcron.audit from id %s on are sealed, or waited for, twice (%s times)', t.id, t.pieces)
     from twice t where t.pieces > 0)
    union all
    (select (select a.at from ironcron.audit a where a.id = s.id),
            format('the seal of audit row %s ends before row %s, but by what follows it is row %s that comes next',
                   s.seq, s.next, s.follower)
     from seam s where s.next <> s.follower order by s.seq limit 100)
    union all
    (select null, 'the note of where the chain begins and ends (ironcron.audit_ends) was removed'
     where not exists (select from ironcron.audit_ends))
$$;

-- ---- pruning -------------------------------------------------------------------------------------

create function meta_put(p_key text, p_value text) returns void language sql as $$
    insert into ironcron.meta values (p_key, p_value) on conflict (key) do update set value = excluded.value
$$;

-- The first claim since then, of runs that have no day of their own.
create function first_claim(p_since bigint) returns bigint language sql stable as $$
    select least((select min(fence) from ironcron.run_ended_rest where started_at >= p_since),
                 (select min(fence) from ironcron.run_started where started_at >= p_since))
$$;

-- Slots that have no day of their own, the oldest first. Those that a run's end closed have no row to go.
create function prune_slots(p_before bigint, p_limit bigint) returns bigint language plpgsql as $$
declare v_slots bigint;
begin
    with old as (
        (select job_id, due_at, null::uuid as run_id from ironcron.slot_closed_rest s
         where due_at < p_before and due_at <= (select high_water from ironcron.job j where j.job_id = s.job_id)
         order by due_at, job_id limit p_limit)
        union all
        (select job_id, due_at, run_id from ironcron.run_ended_rest s
         where closes and due_at < p_before
           and due_at <= (select high_water from ironcron.job j where j.job_id = s.job_id)
         order by due_at, job_id limit p_limit)
        order by due_at, job_id limit p_limit
    ), closed as (
        delete from ironcron.slot_closed_rest s using old o
        where o.run_id is null and s.job_id = o.job_id and s.due_at = o.due_at
    ), ended as (
        update ironcron.run_ended_rest r set closes = false from old o where r.run_id = o.run_id
    )
    select count(*) into v_slots from old;
    return v_slots;
end $$;

-- One by one goes only what has no day of its own (functions_days_1.sql).
-- Controls that ended before p_controls are needed by no slot that is kept.
create function prune_runs(p_before bigint, p_controls bigint, p_limit bigint)
returns table (deleted bigint, more boolean) language plpgsql as $$
declare v_slots bigint; v_runs bigint; v_output bigint; v_intents bigint; v_controls bigint; v_gone uuid[];
begin
    if not pg_try_advisory_xact_lock(1768124270, 7) then -- somebody else is at it
        return query select 0::bigint, false;
        return;
    end if;
    v_slots := ironcron.prune_slots(p_before, p_limit);
    v_gone := array(
        select r.run_id from ironcron.run_ended_rest r
        where r.fence < coalesce(ironcron.first_claim(p_before),
                                 9223372036854775807)
          and r.ended_at < p_before
          and not exists (select from ironcron.slot_waiting s where s.job_id = r.job_id and s.due_at = r.due_at
                                                                and s.run_id = r.run_id)
        order by r.fence limit p_limit);
    delete from ironcron.output_rest where run_id = any(v_gone);
    get diagnostics v_output = row_count;
    insert into ironcron.slot_closed (job_id, due_at, node_no, run_id, attempt, outcome, reason)
    select job_id, due_at, node_no, run_id, attempt, state, 0
    from ironcron.run_ended_rest where run_id = any(v_gone) and closes;
    delete from ironcron.run_ended_rest where run_id = any(v_gone);
    get diagnostics v_runs = row_count;
    delete from ironcron.control where id in (
        select id from ironcron.control where to_ms < p_controls order by id limit p_limit);
    get diagnostics v_controls = row_count;
    if v_slots + v_runs + v_controls > 0 then
        perform ironcron.kept_from(p_before);
    end if;
    delete from ironcron.intent where id in (
        select id from ironcron.intent where created_at < p_before and state <> 0 order by id limit p_limit);
    get diagnostics v_intents = row_count;
    return query select v_slots + v_runs + v_output + v_intents + v_controls,
        p_limit in (v_slots, v_runs, v_intents, v_controls);
end $$;

create function kept_from(p_before bigint) returns void language sql as $$
    select ironcron.meta_put('slots_from', p_before::text)
    where p_before > coalesce((select value::bigint from ironcron.meta where key = 'slots_from'), 0)
$$;

create function prune_output(p_before bigint, p_limit bigint)
returns table (deleted bigint, more boolean) language plpgsql as $$
declare v_rows bigint;
begin
    if not pg_try_advisory_xact_lock(1768124270, 7) then
        return query select 0::bigint, false;
        return;
    end if;
    with gone as (
        select o.run_id, o.start from ironcron.output_rest o join ironcron.run_ended_rest r using (run_id)
        where r.fence < coalesce(ironcron.first_claim(p_before),
                                 9223372036854775807)
          and r.ended_at < p_before
        order by r.fence, o.start limit p_limit)
    delete from ironcron.output_rest o using gone g where o.run_id = g.run_id and o.start = g.start;
    get diagnostics v_rows = row_count;
    return query select v_rows, v_rows = p_limit;
end $$;

-- Only the beginning of the sealed chain can go, row by row; the anchor says what came before the rest.
create function prune_audit(p_before bigint, p_limit bigint)
returns table (deleted bigint, more boolean) language plpgsql as $$
declare v_last bigint; v_hash bytea; v_id bigint; v_events bigint; v_more boolean;
begin
    perform pg_advisory_xact_lock(1768124270, 3);
    select k.last, k.hash, k.id, k.events, k.more into v_last, v_hash, v_id, v_events, v_more
    from (select r.*, bool_and(r.at < p_before) over chain as old, sum(r.rows) over chain as events,
                 coalesce(lead(r.at) over chain < p_before, false) as more
          from (select s.seq, a.id, a.at, a.rows, s.seq + s.starts[a.id - s.id + 1] + a.rows - 1 as last,
                       substr(s.hashes, (s.starts[a.id - s.id + 1] + a.rows) * 32 - 31, 32) as hash
                from ironcron.audit_seal s, lateral (
                    select * from ironcron.audit a where a.id >= s.id and a.id < s.id + cardinality(s.starts)) a
                order by s.seq, a.id limit p_limit + 1) r
          window chain as (order by r.seq, r.id)) k
    where k.old and (k.events <= p_limit or k.events = k.rows) order by k.last desc limit 1;
    if v_last is null then
        return query select 0::bigint, false;
        return;
    end if;
    update ironcron.audit_ends set anchor_seq = v_last, anchor_hash = v_hash;
    perform set_config('ironcron.pruning', 'on', true);
    delete from ironcron.audit a using ironcron.audit_seal s
    where a.id >= s.id and a.id < s.id + cardinality(s.starts)
      and s.seq + s.starts[a.id - s.id + 1] <= v_last and s.seq <= v_last;
    delete from ironcron.audit_seal where seq + length(hashes) / 32 - 1 <= v_last;
    update ironcron.audit_seal
    set seq = v_last + 1, id = v_id + 1, prev = v_hash,
        starts = array(select start - (v_last + 1 - seq) from unnest(starts[v_id + 1 - id + 1:]) with ordinality u (start, ord)
                       order by u.ord),
        hashes = substr(hashes, (v_last + 1 - seq)::int * 32 + 1)
    where seq <= v_last;
    perform set_config('ironcron.pruning', 'off', true);
    return query select v_events, v_more or v_events >= p_limit;
end $$;
