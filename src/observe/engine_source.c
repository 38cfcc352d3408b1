// SPDX-License-Identifier: MIT
// Its own file, so that programs without an engine can link the metrics.
#include "observe/metrics.h"

static void each_engine_job(void *source,
                            void (*each)(void *context, const struct engine_job_view *view),
                            void *context)
{
    engine_each_job(source, each, context);
}

void metrics_watch_engine(struct metrics *metrics, struct engine *engine)
{
    metrics_set_source(metrics, engine == NULL ? NULL : each_engine_job, engine);
}
