// SPDX-License-Identifier: MIT
// The conformance suite against the model.
#include "../../contract/contract.h"

#include "store/model/model_store.h"

static struct store *open_store(struct clock *clock, void **context)
{
    *context = NULL;
    return model_store_new(clock);
}

static void close_store(struct store *store, void *context)
{
    (void)context;
    store_close(store);
}

int main(void)
{
    static const struct contract_backend backend = {
        .name = "model", .open = open_store, .close = close_store, .fleet = true};
    return contract_run(&backend);
}
