// SPDX-License-Identifier: MIT
// The parameters of a run: what a job declares (struct job, params), what somebody gives, and what
// the run then gets.
#pragma once

#include <jansson.h>

#include "base/attributes.h"
#include "base/error.h"
#include "job/job.h"

#define JOB_PARAMS_MAX     64 // of a job, and given to a run
#define JOB_PARAM_NAME_MAX 64 // characters of a declared name

// [a-z_][a-z0-9_]*, JOB_PARAM_NAME_MAX at most.
bool job_param_is_name(const char *text);
// May a run of this job be started with these? `given`: a JSON object of strings as text, or NULL.
// A job that declares params takes those only and wants the required ones; one that declares none
// takes any, but for sql jobs, which take none. ERROR_USAGE says which is wrong and what is taken.
bool job_params_check(const struct job *job, const char *given, struct error *err) MUST_USE;
// What the run gets: the given ones over the defaults, ended by a name NULL. Borrows from both.
void job_params_fill(const struct job *job, json_t *given,
                     struct job_variable list_out[JOB_PARAMS_MAX + 1]);
// Of such a list, or of what a job declares; NULL = none. The names, ended by NULL, are borrowed.
void job_params_names(const struct job_variable *params, const char *names_out[JOB_PARAMS_MAX + 1]);
// As a JSON object of texts.
json_t *job_params_object(const struct job_variable *params);
// The one of that name, or NULL.
const struct job_variable *job_params_find(const struct job_variable *params, const char *name);
