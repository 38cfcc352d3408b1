// SPDX-License-Identifier: MIT
// What HTTP offers: /livez and /readyz for anybody, /metrics for a viewer once tokens are
// configured (unless metrics_public), / says what is here.
#pragma once

#include "config/config.h"
#include "http/request.h"
#include "observe/bearers.h"
#include "observe/health.h"
#include "observe/metrics.h"

struct endpoints {
    struct metrics *metrics; // not owned
    struct health *health;   // not owned
    struct bearers bearers;
    bool metrics_public;
};

void endpoints_init(struct endpoints *endpoints, struct metrics *metrics, struct health *health);
void endpoints_release(struct endpoints *endpoints);
// Tokens and metrics_public, at start and after a reload; copied.
void endpoints_configure(struct endpoints *endpoints, const struct config_http *http);

// The handler for struct http_server_options; context is the struct endpoints.
void endpoints_answer(void *context, const struct http_request *request,
                      struct http_response *response);
