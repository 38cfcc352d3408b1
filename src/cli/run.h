// SPDX-License-Identifier: MIT
// The functions behind the rows of the table; see struct command for what they return. Each file
// command_GROUP.c holds a group of them.
#pragma once

#include "cli/command.h"

#define COMMAND(name) bool name(struct invocation *invocation, int *exit_out, struct error *err)

// command_setup.c
COMMAND(command_init);
COMMAND(command_validate);
COMMAND(command_version);
// command_import.c
COMMAND(command_import_crontab);
// command_import_pg_cron.c
COMMAND(command_import_pg_cron);
// command_node.c
COMMAND(command_serve);
COMMAND(command_nodes);
COMMAND(command_nodes_drain);
COMMAND(command_nodes_resume);
COMMAND(command_reload);
// command_migrate.c
COMMAND(command_migrate_deploy);
COMMAND(command_migrate_status);
// command_status.c
COMMAND(command_status);
// command_doctor.c
COMMAND(command_doctor);
// command_why.c
COMMAND(command_why);
// command_next.c
COMMAND(command_next);
// command_jobs.c
COMMAND(command_jobs);
COMMAND(command_jobs_show);
// command_run.c
COMMAND(command_run);
COMMAND(command_runs_retry);
// command_backfill.c
COMMAND(command_backfill);
// command_runs.c
COMMAND(command_runs);
COMMAND(command_runs_show);
COMMAND(command_runs_output);
COMMAND(command_runs_cancel);
// command_control.c
COMMAND(command_pause);
COMMAND(command_resume);
COMMAND(command_dry_run);
COMMAND(command_throttle);
// command_audit.c
COMMAND(command_audit);
COMMAND(command_audit_verify);
COMMAND(command_audit_export);
// completion.c
COMMAND(command_completion);
COMMAND(command_complete);
// command_worker.c
COMMAND(command_worker);
// help.c
COMMAND(command_help);

#undef COMMAND
