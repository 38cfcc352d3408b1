-- Schema version 1: history by days. They are made ahead, by whoever seals, and go as a whole when
-- nothing in them is to be kept. Neither waits long for a lock, since claims wait behind it; what does
-- not succeed is tried again.
set local search_path = ironcron, pg_temp;

create function day_of(p_ms bigint) returns int language sql immutable as $$
    select (p_ms / 86400000)::int
$$;

-- The first id of a day's runs: an id begins with the milliseconds since 1970.
create function day_id(p_day int) returns uuid language sql immutable as $$
    select (lpad(to_hex(p_day * 86400000::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

create function day_bound(p_parent text, p_day int) returns text language sql immutable as $$
    select case p_parent when 'slot_closed' then (p_day * 86400000::bigint)::text
                         else ironcron.day_id(p_day)::text end
$$;

create function day_name(p_parent text, p_day int) returns text language sql immutable as $$
    select p_parent || to_char(date '1970-01-01' + p_day, '_YYYYMMDD')
$$;

-- Has the rest rows of that day already? Whoever asks for a run gives it an id, by a clock of their own.
create function is_begun(p_day int) returns boolean language sql stable as $$
    select exists (select from ironcron.run_ended_rest
                   where run_id >= ironcron.day_id(p_day) and run_id < ironcron.day_id(p_day + 1))
        or exists (select from ironcron.output_rest
                   where run_id >= ironcron.day_id(p_day) and run_id < ironcron.day_id(p_day + 1))
        or exists (select from ironcron.slot_closed_rest
                   where due_at >= p_day * 86400000::bigint and due_at < (p_day + 1) * 86400000::bigint)
$$;

-- A table that is attached takes a weaker lock than one that is made as a partition.
create function make_day(p_day int) returns void language plpgsql set lock_timeout = '200ms' as $$
declare v_parent text; v_name text;
begin
    if exists (select from ironcron.day where day = p_day) then
        return;
    end if;
    foreach v_parent in array array['run_ended', 'output', 'slot_closed'] loop
        v_name := ironcron.day_name(v_parent, p_day);
        execute format('create table ironcron.%I (like ironcron.%I including all excluding indexes)', v_name, v_parent);
        execute format('alter table ironcron.%I attach partition ironcron.%I for values from (%L) to (%L)', v_parent,
                       v_name, ironcron.day_bound(v_parent, p_day), ironcron.day_bound(v_parent, p_day + 1));
        insert into ironcron.day (parent, day) values (v_parent, p_day);
    end loop;
exception when others then -- no right, no lock, rows in the rest: whatever it is, sealing goes on,
    null; -- and this day's rows go to the rest, where all who read find them
end $$;

-- From tomorrow on: today has begun elsewhere. One day a call, and one at a time makes or drops days. A day
-- that has begun in the rest stays there, and is left out.
create function make_days(p_now bigint) returns void language plpgsql as $$
declare v_today int := ironcron.day_of(p_now); v_day int;
begin
    if exists (select from ironcron.day where day = v_today + 7) or not pg_try_advisory_xact_lock(1768124270, 6) then
        return;
    end if;
    select min(n) into v_day from generate_series(v_today + 1, v_today + 7) n
    where not exists (select from ironcron.day where day = n) and not ironcron.is_begun(n);
    if v_day is not null then
        perform ironcron.make_day(v_day);
    end if;
end $$;

-- Are all runs of the ids of this day over, and was it before that instant? Those of slots that wait
-- are still needed.
create function day_is_over(p_day int, p_before bigint) returns boolean language plpgsql as $$
declare v_from uuid := ironcron.day_id(p_day); v_to uuid := ironcron.day_id(p_day + 1);
begin
    return (p_day + 1) * 86400000::bigint <= p_before
        and not exists (select from ironcron.run_started where run_id >= v_from and run_id < v_to)
        and not exists (select from ironcron.slot_waiting where run_id >= v_from and run_id < v_to)
        and not exists (select from ironcron.run_ended
                        where run_id >= v_from and run_id < v_to and ended_at >= p_before);
end $$;

-- Slots of this day are closed, or they were elsewhere. None may be above its job's mark.
create function slots_are_over(p_day int, p_before bigint) returns boolean language plpgsql as $$
declare v_end bigint := (p_day + 1) * 86400000::bigint; v_above boolean;
begin
    if p_before is null or v_end > p_before then
        return false;
    end if;
    execute format('select exists (select from ironcron.job j join ironcron.%I s using (job_id)
                    where j.high_water < $1 and s.due_at > j.high_water)', ironcron.day_name('slot_closed', p_day))
    into v_above using v_end;
    return not v_above;
end $$;

create function is_over(p_parent text, p_day int, p_runs bigint, p_output bigint) returns boolean language plpgsql as $$
begin
    return coalesce(case p_parent
        when 'slot_closed' then ironcron.slots_are_over(p_day, p_runs)
        when 'run_ended' then ironcron.day_is_over(p_day, p_runs)
        else ironcron.day_is_over(p_day, greatest(p_runs, p_output)) end, false);
end $$;

-- It is asked once more under a lock that no writer passes, since one may have come in between. Answers how
-- many rows there were, about; null where it was not to be had at once, 0 where it is to stay after all, or this
-- role has no right to it.
create function drop_day(p_parent text, p_day int, p_runs bigint, p_output bigint) returns bigint
language plpgsql set lock_timeout = '200ms' as $$
declare v_name text := ironcron.day_name(p_parent, p_day); v_rows bigint;
begin
    execute format('lock table ironcron.%I in share row exclusive mode', v_name);
    if not ironcron.is_over(p_parent, p_day, p_runs, p_output) then
        return 0;
    end if;
    select greatest(reltuples, 1)::bigint into v_rows from pg_class
    where relnamespace = 'ironcron'::regnamespace and relname = v_name;
    execute format('drop table ironcron.%I', v_name);
    delete from ironcron.day where parent = p_parent and day = p_day;
    return v_rows;
exception
    when lock_not_available or deadlock_detected then return null;
    when insufficient_privilege then return 0;
end $$;

-- At most one day of each kind a call, the oldest. Either instant may be null: those are kept.
create function prune_days(p_runs bigint, p_output bigint)
returns table (deleted bigint, more boolean) language plpgsql as $$
declare d record; v_rows bigint;
begin
    deleted := 0;
    more := false;
    if not pg_try_advisory_xact_lock(1768124270, 6) then
        return next;
        return;
    end if;
    for d in select o.parent, min(o.day) as day from ironcron.day o group by o.parent order by o.parent loop
        continue when not ironcron.is_over(d.parent, d.day, p_runs, p_output);
        v_rows := ironcron.drop_day(d.parent, d.day, p_runs, p_output);
        deleted := deleted + coalesce(v_rows, 0);
        more := more or v_rows is distinct from 0;
        if d.parent <> 'output' and v_rows > 0 then
            perform ironcron.kept_from(p_runs);
        end if;
    end loop;
    return next;
end $$;

select ironcron.make_day(ironcron.day_of(ironcron.now_ms(null)) + n) from generate_series(0, 7) n;
