// SPDX-License-Identifier: MIT
// What goes wrong by and by: who holds dead rows back, and which tables are full of them.
#include <stdio.h>
#include <unistd.h>

#include "store/postgres/postgres_facts.h"
#include "store/postgres/postgres_question.h"

#define DEAD_LEAST "10000" // fewer take no room worth a word

static const char holder_sql[] =
    "select who, remedy, seconds, transactions from ("
    " select 'the transaction of ' || coalesce(nullif(application_name, ''), usename, backend_type,"
    "  '?') || ' (session ' || pid || ')' as who,"
    "  'select pg_terminate_backend(' || pid || ')' as remedy,"
    "  extract(epoch from clock_timestamp() - coalesce(xact_start, backend_start))::bigint as "
    "seconds,"
    "  greatest(age(backend_xmin), age(backend_xid))::bigint as transactions"
    " from pg_stat_activity where pid <> pg_backend_pid()"
    " and (backend_xmin is not null or backend_xid is not null)"
    " union all select 'the replication slot ' || slot_name,"
    "  format('select pg_drop_replication_slot(%L), when nothing needs it any more', slot_name), "
    "-1,"
    "  greatest(age(xmin), age(catalog_xmin))::bigint from pg_replication_slots"
    "  where xmin is not null or catalog_xmin is not null"
    " union all select 'the prepared transaction ' || gid || ' in database ' || database,"
    "  format('commit prepared %L or rollback prepared %L there, as who prepared it', gid, gid),"
    "  extract(epoch from clock_timestamp() - prepared)::bigint, age(transaction)::bigint"
    "  from pg_prepared_xacts) holders order by transactions desc, seconds desc limit 1";

static const char bloated_sql[] =
    "select relname, n_live_tup, n_dead_tup, coalesce(extract(epoch from clock_timestamp()"
    "  - greatest(last_vacuum, last_autovacuum))::bigint, -1) from pg_stat_user_tables"
    " where schemaname = 'ironcron' and n_dead_tup > greatest(n_live_tup, " DEAD_LEAST ")"
    " order by n_dead_tup desc";

static const char most_locks_sql[] =
    "select coalesce(l.pid, 0), coalesce(nullif(min(a.application_name), ''), min(a.usename),"
    "  min(a.backend_type), 'a prepared transaction'), count(*)::int"
    " from pg_locks l left join pg_stat_activity a using (pid) group by l.pid"
    " order by 3 desc limit 1";

static const char most_connections_sql[] =
    "select 0, coalesce(nullif(application_name, ''), usename, '?') as who, count(*)::int"
    " from pg_stat_activity where backend_type = 'client backend' group by who"
    " order by 3 desc limit 1";

static const char bytes_sql[] =
    "select sum(pg_total_relation_size(oid))::bigint from pg_class"
    " where relnamespace = 'ironcron'::regnamespace and relkind in ('r', 'p', 'm')";

// 1768124272 is the space of the jobs' locks (functions_locks_1.sql).
static const char locks_sql[] =
    "select l.pid, l.objid::bigint, coalesce(j.name, '?'), coalesce(a.application_name, '?'),"
    " coalesce(extract(epoch from clock_timestamp() - a.state_change)::bigint, 0)"
    " from pg_locks l join pg_database d on d.oid = l.database left join pg_stat_activity a using "
    "(pid)"
    " left join ironcron.job j on j.job_id = l.objid"
    " where l.locktype = 'advisory' and l.classid = 1768124272 and l.objsubid = 2 and l.granted"
    " and d.datname = current_database()"
    " and not exists (select from ironcron.run_started r where r.job_id = l.objid)"
    " order by l.pid, l.objid";

static struct postgres_health *health_of(const void *reader)
{
    return *(struct postgres_health *const *)reader;
}

static bool take_holder(const PGresult *row, const void *reader)
{
    struct postgres_health *health = health_of(reader);
    health->holder.is_there = true;
    snprintf(health->holder.who, sizeof health->holder.who, "%s", field_text(row, 0, 0));
    snprintf(health->holder.remedy, sizeof health->holder.remedy, "%s", field_text(row, 0, 1));
    health->holder.seconds = field_int(row, 0, 2);
    health->holder.transactions = field_int(row, 0, 3);
    return true;
}

static bool take_bloated(const PGresult *row, const void *reader)
{
    struct postgres_health *health = health_of(reader);
    if (health->bloated_count == POSTGRES_HEALTH_TABLES) {
        return false;
    }
    size_t at = health->bloated_count++;
    snprintf(health->bloated[at].name, sizeof health->bloated[at].name, "%s",
             field_text(row, 0, 0));
    health->bloated[at].live = field_int(row, 0, 1);
    health->bloated[at].dead = field_int(row, 0, 2);
    health->bloated[at].vacuumed = field_int(row, 0, 3);
    return true;
}

static bool take_lock(const PGresult *row, const void *reader)
{
    struct postgres_health *health = health_of(reader);
    if (health->lock_count == POSTGRES_HEALTH_LOCKS) {
        return false;
    }
    size_t at = health->lock_count++;
    health->locks[at].pid = (int)field_int(row, 0, 0);
    health->locks[at].job_id = field_int(row, 0, 1);
    snprintf(health->locks[at].job, sizeof health->locks[at].job, "%s", field_text(row, 0, 2));
    snprintf(health->locks[at].who, sizeof health->locks[at].who, "%s", field_text(row, 0, 3));
    health->locks[at].quiet = field_int(row, 0, 4);
    return true;
}

static bool take_most_locks(const PGresult *row, const void *reader)
{
    struct postgres_health *health = health_of(reader);
    health->most_locks.pid = (int)field_int(row, 0, 0);
    snprintf(health->most_locks.who, sizeof health->most_locks.who, "%s", field_text(row, 0, 1));
    health->most_locks.count = (int)field_int(row, 0, 2);
    return true;
}

static bool take_most_connections(const PGresult *row, const void *reader)
{
    struct postgres_health *health = health_of(reader);
    snprintf(health->most_connections.who, sizeof health->most_connections.who, "%s",
             field_text(row, 0, 1));
    health->most_connections.count = (int)field_int(row, 0, 2);
    return true;
}

static bool take_bytes(const PGresult *row, const void *reader)
{
    health_of(reader)->bytes = field_int(row, 0, 0);
    return true;
}

static bool each(struct store *store, const char *sql, give_fn *give,
                 struct postgres_health *health, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, sql);
    return question_each(&question, store, give, &health, err);
}

static bool has_lock(const struct postgres_health *health, size_t at,
                     const struct postgres_health *other)
{
    for (size_t i = 0; i < other->lock_count; i++) {
        if (other->locks[i].pid == health->locks[at].pid &&
            other->locks[i].job_id == health->locks[at].job_id) {
            return true;
        }
    }
    return false;
}

// A run that has just ended lets go a moment later: what is still so after a second is stuck.
static bool read_locks(struct store *store, struct postgres_health *health, struct error *err)
{
    struct postgres_health later = {0};
    if (!each(store, locks_sql, take_lock, health, err)) {
        return false;
    }
    if (health->lock_count == 0) {
        return true;
    }
    sleep(1);
    if (!each(store, locks_sql, take_lock, &later, err)) {
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < health->lock_count; i++) {
        if (has_lock(health, i, &later)) {
            health->locks[kept++] = health->locks[i];
        }
    }
    health->lock_count = kept;
    return true;
}

bool postgres_health_read(struct store *store, struct postgres_health *health_out,
                          struct error *err)
{
    *health_out = (struct postgres_health){0};
    return each(store, holder_sql, take_holder, health_out, err) &&
           each(store, bloated_sql, take_bloated, health_out, err) &&
           each(store, bytes_sql, take_bytes, health_out, err) &&
           each(store, most_locks_sql, take_most_locks, health_out, err) &&
           each(store, most_connections_sql, take_most_connections, health_out, err) &&
           read_locks(store, health_out, err);
}
