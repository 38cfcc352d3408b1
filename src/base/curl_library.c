// SPDX-License-Identifier: MIT
#include "base/curl_library.h"

#include <dlfcn.h>
#include <stddef.h>

// The name that its ABI has had since 2006.
#define LIBRARY "libcurl.so.4"

struct curl_functions curl_functions;

struct named {
    const char *name;
    size_t offset; // in struct curl_functions
};

static const struct named names[] = {
#define X(name) {"curl_" #name, offsetof(struct curl_functions, name)},
    CURL_FUNCTIONS(X)
#undef X
};

bool curl_library_load(struct error *err)
{
    static void *library; // for the life of the process
    if (library != NULL) {
        return true;
    }
    void *loaded = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (loaded == NULL) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "the HTTP client library cannot be loaded: %s; install it (Debian: "
                         "apt-get install libcurl4)",
                         dlerror());
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *function = dlsym(loaded, names[i].name);
        if (function == NULL) {
            return error_set(err, ERROR_ENVIRONMENT,
                             "the HTTP client library has no %s: it is too old; install libcurl "
                             "7.88 or newer",
                             names[i].name);
        }
        *(void **)(void *)((char *)&curl_functions + names[i].offset) = function;
    }
    library = loaded;
    return true;
}
