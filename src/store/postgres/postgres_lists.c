// SPDX-License-Identifier: MIT
// Arrays in the server's binary form: for what goes over the wire by the thousand, a fraction of
// the work of text on both sides.
#include "store/postgres/postgres_private.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"

static const uint32_t type_oids[] = {
    [LIST_INT] = 20, [LIST_BOOL] = 16, [LIST_TEXT] = 25, [LIST_UUID] = 2950};

static void add_32(struct buf *buf, uint32_t number)
{
    uint32_t big = htobe32(number);
    buf_add(buf, &big, sizeof big);
}

void put_list(struct parameters *parameters, enum list_type type, size_t count)
{
    CHECK(parameters->count < PARAMETERS_MAX);
    parameters->at[parameters->count++] = parameters->text.length;
    add_32(&parameters->text, 1); // one dimension
    add_32(&parameters->text, 1); // some may be NULL
    add_32(&parameters->text, type_oids[type]);
    add_32(&parameters->text, (uint32_t)count);
    add_32(&parameters->text, 1); // numbered from 1
}

static void element(struct parameters *parameters, const void *bytes, size_t length)
{
    add_32(&parameters->text, (uint32_t)length);
    buf_add(&parameters->text, bytes, length);
}

void list_null(struct parameters *parameters)
{
    add_32(&parameters->text, UINT32_MAX);
}

void list_int(struct parameters *parameters, int64_t number)
{
    uint64_t big = htobe64((uint64_t)number);
    element(parameters, &big, sizeof big);
}

void list_bool(struct parameters *parameters, bool value)
{
    element(parameters, value ? "\1" : "\0", 1);
}

void list_text(struct parameters *parameters, const char *text)
{
    if (text == NULL) {
        list_null(parameters);
    } else {
        element(parameters, text, strlen(text));
    }
}

void list_uuid(struct parameters *parameters, struct uuid id)
{
    if (uuid_is_nil(id)) {
        list_null(parameters);
    } else {
        element(parameters, id.bytes, sizeof id.bytes);
    }
}

void list_instant(struct parameters *parameters, struct instant t)
{
    if (operation_has(t)) {
        list_int(parameters, instant_ms(t));
    } else {
        list_null(parameters);
    }
}

void list_end(struct parameters *parameters)
{
    int last = parameters->count - 1;
    parameters->list_lengths[last] = parameters->text.length - parameters->at[last];
}
