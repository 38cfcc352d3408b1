-- Schema version 1: the tables. Instants are whole milliseconds since 1970 as bigint, so that what
-- is compared is exact; the views give timestamptz. Codes are the constants of the program's
-- enumerations, which never change their order.
create schema ironcron;
comment on schema ironcron is 'ironcron: the ledger of jobs. Read its views; only ironcron writes.';
set local search_path = ironcron, pg_temp;

create table meta (key text primary key, value text not null,
                   check (key <> 'slots_from' or value ~ '^[0-9]{1,15}$'));

-- valid_until: of its last beat, null where a node has no lease. owes: declared dead or stopped with
-- something left behind, or drained. definitions: the version that it executes; refused: why not the active one.
-- draining_since: an operator wants nothing new begun there. backend, backend_start: the session that it works on.
-- lost_runs: those that its start found; fencing, with nodes and runs: its last one, for the repeat of a lost answer.
create table node (
    node_no bigint generated always as identity primary key,
    node uuid not null unique, host text not null, version text not null,
    started_at bigint not null, last_seen bigint not null, valid_until bigint,
    state text not null check (state in ('live', 'stopped', 'lost')),
    lease bigint not null, grace bigint not null, running int not null, max_running int not null,
    dry_run boolean not null, is_full boolean not null default false,
    draining boolean not null default false, labels text, owes boolean not null default false,
    definitions bigint not null default 0, refused text, draining_since bigint, draining_by text,
    draining_as text, draining_reason text,
    backend int, backend_start timestamptz,
    lost_runs bigint[] not null default '{}', left_to bigint,
    fencing uuid, fencing_nodes uuid[] not null default '{}', fencing_runs bigint[] not null default '{}') with (fillfactor = 50);
-- A node's last sign of life that came while somebody had its row in hand.
create table beat_beside (node_no bigint primary key, at bigint not null, valid_until bigint not null);
create index node_live on node (node) where state = 'live';
create index node_owes on node (node_no) where owes;

-- Job definitions as nodes published them; the one row of pulse says which are active.
create table definition (
    version bigint primary key, hash text not null, text text not null, actor text,
    published_at bigint not null);
create index definition_by_hash on definition (hash, version);
create table pulse (
    one boolean primary key default true check (one), changes bigint not null, version bigint not null);
insert into pulse (changes, version) values (0, 0);

-- running: how many of its runs are STARTED; held: its last slot came upon one of them.
create table job (
    job_id bigint primary key, name text not null unique, high_water bigint not null,
    last_success bigint, last_run uuid, throttle int not null, running int not null default 0,
    held boolean not null default false, mark_before bigint, throttle_before int) with (fillfactor = 50);

create table in_force (
    job_id bigint not null, from_ms bigint not null, to_ms bigint,
    spec text not null, primary key (job_id, from_ms));
create unique index in_force_now on in_force (job_id) where to_ms is null;

-- Few rows are hot, and the rest is never touched again. A run that is STARTED is a row of
-- run_started, and the end moves it. Its slot, open until then, has no row of its own, nor has one that
-- ends as its last run does (closes). What has ended lies in partitions, one for each day: of the run's
-- id, which begins with the time, or of the slot's due time. Days go as a whole
-- (functions_days_1.sql); what has no day of its own is in the rest.
create sequence fence;
create table run_started (
    run_id uuid primary key, fence bigint not null, job_id bigint not null, job text not null,
    due_at bigint not null, started_at bigint not null, node_no bigint not null, attempt int not null,
    trigger smallint not null)
    with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
          autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);
create table run_ended (
    run_id uuid primary key, fence bigint not null, job_id bigint not null, due_at bigint not null,
    started_at bigint not null, ended_at bigint not null, duration bigint not null,
    node_no bigint not null, attempt int not null, exit_code int, trigger smallint not null,
    state smallint not null, failure smallint not null, closes boolean not null default false,
    error text) partition by range (run_id);
create table run_ended_rest partition of run_ended default;
create index run_in_order on run_ended (fence);
create index run_of_job on run_ended (job_id, due_at, fence);
create index run_rest_in_order on run_ended_rest (due_at, job_id) where closes;
create view run as
select run_id, fence, job_id, due_at, attempt, trigger, 0::smallint as state, node_no, started_at,
       null::bigint as ended_at, null::bigint as duration, null::int as exit_code,
       0::smallint as failure, null::text as error from run_started
union all
select run_id, fence, job_id, due_at, attempt, trigger, state, node_no, started_at, ended_at,
       duration, exit_code, failure, error from run_ended;

-- Open slots that wait for their next attempt, or (attempt 0) for the slots of other jobs.
create table slot_waiting (
    job_id bigint not null, due_at bigint not null, retry_at bigint not null, node_no bigint not null,
    run_id uuid, attempt int not null, reason smallint not null, primary key (job_id, due_at));
create index slot_waiting_in_order on slot_waiting (retry_at);
-- Slots that no run's end has closed: skipped, missed, rehearsed, or outliving their run.
create table slot_closed (
    job_id bigint not null, due_at bigint not null, node_no bigint not null, run_id uuid,
    attempt int not null, outcome smallint not null, reason smallint not null,
    primary key (job_id, due_at)) partition by range (due_at);
create table slot_closed_rest partition of slot_closed default;
create index slot_rest_in_order on slot_closed_rest (due_at, job_id);
create view slot as
select job_id, due_at, outcome, reason, run_id, attempt, null::bigint as retry_at, node_no from slot_closed
union all
select job_id, due_at, state, 0::smallint, run_id, attempt, null::bigint, node_no from run_ended where closes
union all
select job_id, due_at, 0::smallint, reason, run_id, attempt, retry_at, node_no from slot_waiting
union all
select job_id, due_at, 0::smallint, 0::smallint, run_id, attempt, null::bigint, node_no
from run_started where trigger <> 3;

create table output (
    run_id uuid not null, start bigint not null, bytes bytea not null, primary key (run_id, start))
    partition by range (run_id);
alter table output alter column bytes set storage external;
create table output_rest partition of output default;
-- Which partitions there are: of days since 1970.
create table day (parent text not null, day int not null, primary key (parent, day));

create table control (
    id bigint generated always as identity primary key, job text, kind smallint not null,
    value int not null, from_ms bigint not null, to_ms bigint, actor text, acts_as text,
    reason text);
create unique index control_now on control (kind, coalesce(job, '')) where to_ms is null;

create table intent (
    id bigint generated always as identity primary key, intent_id uuid not null unique,
    kind smallint not null, job text, run_id uuid, params text, dry_run boolean not null,
    actor text, acts_as text, reason text, created_at bigint not null, state smallint not null,
    answer text, node_no bigint);
create index intent_pending on intent (id) where state = 0;

-- Events are written in the commit of their cause and never changed: one row for all that one statement tells,
-- each of its lists null or as long as `events`, which the view and the sealer rely on. Numbers are drawn by transactions that have an id already, which
-- the sealer relies on.
create sequence audit_id;
create table audit (
    id bigint primary key
        default case when pg_current_xact_id() is not null then nextval('ironcron.audit_id') end,
    at bigint not null, node uuid, actor text,
    rows int not null generated always as (cardinality(events)) stored,
    events text[] not null, jobs text[], run_ids uuid[], details text[],
    -- One constraint, since each is put together anew for each statement.
    constraint lists_are_alike check (
        rows > 0 and id > 0 and id < 4611686018427387904
        and array_length(events, 1) = rows and array_length(jobs, 1) = rows and array_length(run_ids, 1) = rows
        and array_length(details, 1) = rows));
alter table audit alter column jobs set storage external, alter column run_ids set storage external;
create index audit_at on audit using brin (at) with (pages_per_range = 32, autosummarize = on);
-- Of lists that somebody has changed, so that they are not as long as each other any more, all is shown.
create view audit_event as
select a.id, e.ord, a.at, coalesce(e.event, '') as event, e.job, e.run_id, a.node, a.actor, e.detail
from audit a cross join unnest(a.events, a.jobs, a.run_ids, a.details)
    with ordinality as e (event, job, run_id, detail, ord);

-- The chain: a row seals audit rows without a hole between their numbers, 60 at most, and 60 events at most unless
-- one row has more. Each begins after so many (`starts`) of its events, whose hashes stand end to end; seq is the
-- first one's, prev the hash before it.
create table audit_seal (
    seq bigint primary key check (seq between 1 and 4611686018427387904),
    id bigint not null unique check (id between 1 and 4611686018427387904),
    starts smallint[] not null check (array_ndims(starts) = 1 and array_lower(starts, 1) = 1),
    prev bytea not null check (length(prev) = 32),
    hashes bytea not null check (length(hashes) > 0 and length(hashes) % 32 = 0));
alter table audit_seal alter column hashes set storage external;
-- The chain's head, noted apart from it when it is sealed, and gone on from: so what is cut off there leaves a hole.
-- And the last row that was pruned, where the chain that is kept begins. sealed_id: up to this number of audit the
-- sealer has looked at everything.
create table audit_ends (
    one boolean primary key default true check (one),
    sealed_id bigint not null default 0 check (sealed_id between 0 and 4611686018427387904),
    head_seq bigint not null default 0 check (head_seq between 0 and 4611686018427387904),
    head_hash bytea not null default decode(repeat('00', 32), 'hex') check (length(head_hash) = 32),
    anchor_seq bigint not null default 0 check (anchor_seq between 0 and 4611686018427387904),
    anchor_hash bytea not null default decode(repeat('00', 32), 'hex') check (length(anchor_hash) = 32));
insert into audit_ends default values;
-- Numbers that the sealer passed over: of transactions that had not ended, or came to nothing. `noted`
-- began later than each of them.
create table audit_gap (
    id_from bigint primary key, id_to bigint not null check (id_from > 0 and id_to >= id_from), noted xid8 not null);

create view audit_row as
select s.seq as block, s.seq + s.starts[a.id - s.id + 1] + a.ord - 1 as seq, a.*,
       case when a.id = s.id and a.ord = 1 then s.prev
            else substr(h.hashes, (s.starts[a.id - s.id + 1] + a.ord::int) * 32 - 63, 32) end as prev,
       substr(h.hashes, (s.starts[a.id - s.id + 1] + a.ord::int) * 32 - 31, 32) as hash
from audit_seal s join audit_event a on a.id >= s.id and a.id < s.id + 60 and s.id <= a.id and s.id > a.id - 60
                                        and a.id < s.id + cardinality(s.starts),
     lateral (select s.hashes || '' as hashes offset 0) h -- read once, not for each of its parts
union all
select null, null, a.*, null, null
from audit_event a where a.id > coalesce((select sealed_id from audit_ends), 0)
union all
select null, null, a.*, null, null from audit_gap g join audit_event a on a.id between g.id_from and g.id_to;

create function refuse_change() returns trigger language plpgsql as $$
begin
    if current_setting('ironcron.pruning', true) = 'on' and (tg_op = 'DELETE' or tg_table_name = 'audit_seal') then
        return coalesce(new, old);
    end if;
    raise exception 'rows of % are never changed or deleted', tg_table_name;
end $$;
create trigger audit_is_final before update or delete on audit
    for each row execute function refuse_change();
create trigger seal_is_final before update or delete on audit_seal
    for each row execute function refuse_change();
create trigger ends_are_kept before delete on audit_ends
    for each row execute function refuse_change();
create trigger audit_stays before truncate on audit
    for each statement execute function refuse_change();
create trigger seal_stays before truncate on audit_seal
    for each statement execute function refuse_change();
create trigger ends_stay before truncate on audit_ends
    for each statement execute function refuse_change();
