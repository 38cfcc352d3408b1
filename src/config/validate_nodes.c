// SPDX-License-Identifier: MIT
// Which jobs this node may not run, since they demand labels that it does not have. Jobs that
// demand the same share a line.
#include <stdio.h>

#include "config/validate_checks.h"

// What equal jobs demand is one object (config/pool.h), so that a pointer is enough to compare.
struct demand {
    const struct job_variable *labels;
    const char *first; // of the jobs
    size_t jobs;
};

static void add_job(struct demand demands[VALIDATE_LINES_MAX], size_t *count, size_t *left_out,
                    const struct job *job)
{
    size_t at = 0;
    while (at < *count && demands[at].labels != job->nodes) {
        at++;
    }
    if (at == VALIDATE_LINES_MAX) {
        ++*left_out;
        return;
    }
    if (at == *count) {
        demands[(*count)++] = (struct demand){job->nodes, job->name, 0};
    }
    demands[at].jobs++;
}

static void tell(const struct config *config, const struct demand *demand,
                 struct validate_report *report)
{
    AUTO(buf_release) struct buf wanted;
    AUTO(buf_release) struct buf ours;
    AUTO(buf_release) struct buf text;
    buf_init(&wanted, (size_t)64 * 1024);
    buf_init(&ours, (size_t)64 * 1024);
    buf_init(&text, (size_t)256 * 1024);
    job_labels_describe(demand->labels, &wanted);
    job_labels_describe(config->labels, &ours);
    buf_printf(&text, "job %s", demand->first);
    if (demand->jobs > 1) {
        buf_printf(&text, " and %zu more demand", demand->jobs - 1);
    } else {
        buf_add_string(&text, " demands");
    }
    buf_printf(&text, " a node with %s, and this one has %s", buf_string(&wanted),
               ours.length > 0 ? buf_string(&ours) : "no labels");
    validate_add(report, VALIDATE_WARNING, "nodes", buf_string(&text),
                 "see that another node of the fleet has these labels, or put them under "
                 "node.labels here, or correct \"nodes\"");
}

void validate_nodes(const struct config *config, struct validate_report *report)
{
    struct demand demands[VALIDATE_LINES_MAX];
    size_t count = 0;
    size_t left_out = 0;
    for (size_t i = 0; i < config->job_count; i++) {
        const struct job *job = &config->jobs[i];
        if (!job_fits(job, config->labels)) {
            add_job(demands, &count, &left_out, job);
        }
    }
    for (size_t i = 0; i < count; i++) {
        tell(config, &demands[i], report);
    }
    if (left_out > 0) {
        char detail[96];
        snprintf(detail, sizeof detail, "and %zu more jobs demand other labels", left_out);
        validate_add(report, VALIDATE_WARNING, "nodes", detail, "mend those above first");
    }
}
