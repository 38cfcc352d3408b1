-- Schema version 1: what is done to the chain, and what history lets go.
set local search_path = ironcron, pg_temp;

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
