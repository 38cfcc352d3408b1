// SPDX-License-Identifier: MIT
#include "http/pem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PEM_MAX ((size_t)1024 * 1024)

static void close_file(FILE **file)
{
    fclose(*file);
}

bool pem_read(const char *path, struct pem *pem_out, struct error *err)
{
    FILE *opened = fopen(path, "re");
    if (opened == NULL) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "cannot read %s: %s; http.tls needs a PEM file that this user may read",
                         path, strerror(errno));
    }
    AUTO(close_file) FILE *file = opened;
    // Unbuffered: no copy of a key stays behind in the stream's buffer.
    setvbuf(file, NULL, _IONBF, 0);
    struct pem pem = {.text = alloc_zero(PEM_MAX + 1, 1)};
    pem.length = fread(pem.text, 1, PEM_MAX, file);
    if (ferror(file) || strstr(pem.text, "-----BEGIN ") == NULL) {
        pem_release(&pem);
        return error_set(err, ERROR_ENVIRONMENT,
                         "%s is not a PEM file: it has no line beginning with \"-----BEGIN\"",
                         path);
    }
    *pem_out = pem;
    return true;
}

void pem_release(struct pem *pem)
{
    if (pem->text != NULL) {
        explicit_bzero(pem->text, pem->length);
        free(pem->text);
    }
    *pem = (struct pem){0};
}
