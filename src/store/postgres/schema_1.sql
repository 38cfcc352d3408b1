-- Schema version 1: the tables. Instants are whole milliseconds since 1970 as bigint, so that what
-- is compared is exact; the views give timestamptz. Codes are the constants of the program's
-- enumerations, which never change their order.
create schema ironcron;
comment on schema ironcron is 'ironcron: the ledger of jobs. Read its views; only ironcron writes.';
set local search_path = ironcron, pg_temp;

create table meta (key text primary key, value text not null);

-- valid_until: of its last beat, null where a node has no lease. owes: declared dead or stopped with
-- something left behind. backend, backend_start: the session that it works on.
create table node (
    node_no bigint generated always as identity primary key,
    node uuid not null unique, host text not null, version text not null,
    started_at bigint not null, last_seen bigint not null, valid_until bigint,
    state text not null check (state in ('live', 'stopped', 'lost')),
    lease bigint not null, grace bigint not null, running int not null, max_running int not null,
    dry_run boolean not null, is_full boolean not null default false,
    draining boolean not null default false, labels text, owes boolean not null default false,
    backend int, backend_start timestamptz,
    lost_runs bigint[] not null default '{}') with (fillfactor = 50);
create index node_live on node (node) where state = 'live';
create index node_owes on node (node_no) where owes;

-- Job definitions as nodes published them; the one row of pulse says which are active.
create table definition (
    version bigint primary key, hash text not null unique, text text not null, actor text,
    published_at bigint not null);
create table pulse (
    one boolean primary key default true check (one), changes bigint not null, version bigint not null);
insert into pulse (changes, version) values (0, 0);

create table job (
    job_id bigint primary key, name text not null unique, high_water bigint not null,
    last_success bigint, last_run bigint, throttle int not null) with (fillfactor = 70);

create table in_force (
    job_id bigint not null references job, from_ms bigint not null, to_ms bigint,
    spec text not null, primary key (job_id, from_ms));
create unique index in_force_now on in_force (job_id) where to_ms is null;

create table slot (
    due_at bigint not null, job_id bigint not null, outcome smallint not null,
    reason smallint not null, run bigint, attempt int not null, retry_at bigint,
    node_no bigint not null, primary key (job_id, due_at)) with (fillfactor = 80);
create index slot_due on slot (due_at, job_id);
create index slot_waits on slot (job_id) where retry_at is not null;

create sequence fence;
create table run (
    fence bigint primary key, run_id uuid not null unique, job_id bigint not null,
    due_at bigint not null, attempt int not null, trigger smallint not null,
    state smallint not null, node_no bigint not null, started_at bigint not null,
    ended_at bigint, duration bigint, exit_code int, failure smallint not null default 0,
    error text) with (fillfactor = 80);
create index run_started on run (job_id) where state = 0;
create index run_of_job on run (job_id, fence);

create table output (
    run bigint not null, start bigint not null, bytes bytea not null, primary key (run, start));
alter table output alter column bytes set storage external;

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

-- Audit rows are written in the commit of their cause and never changed. What is not sealed yet is
-- queued, so that the sealer finds it without a search; a row that became visible late is sealed late.
create table audit (
    id bigint generated always as identity primary key, at bigint not null, event text not null,
    job_id bigint, job text, run_id uuid, node uuid, actor text, detail text);
create table audit_unsealed (id bigint primary key);
create table audit_seal (
    seq bigint primary key, audit_id bigint not null unique, hash bytea not null);
create index audit_at on audit (at);

create function audit_queue() returns trigger language plpgsql as $$
begin
    insert into ironcron.audit_unsealed select id from added;
    return null;
end $$;
create trigger audit_queue after insert on audit referencing new table as added
    for each statement execute function audit_queue();

create function refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('ironcron.pruning', true) = 'on' then
        return old;
    end if;
    raise exception 'rows of % are never changed or deleted', tg_table_name;
end $$;
create trigger audit_is_final before update or delete on audit
    for each row execute function refuse_change();
create trigger seal_is_final before update or delete on audit_seal
    for each row execute function refuse_change();
create trigger audit_stays before truncate on audit
    for each statement execute function refuse_change();
create trigger seal_stays before truncate on audit_seal
    for each statement execute function refuse_change();
