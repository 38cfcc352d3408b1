// SPDX-License-Identifier: MIT
// Arrays and answers in the server's binary form: for what goes over the wire by the thousand, a
// fraction of the work of text on both sides.
#include "store/postgres/postgres_private.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"

static const uint32_t type_oids[] = {
    [LIST_INT] = 20, [LIST_BOOL] = 16, [LIST_TEXT] = 25, [LIST_UUID] = 2950, [LIST_BYTES] = 17};

static void add_32(struct buf *buf, uint32_t number)
{
    uint32_t big = htobe32(number);
    buf_add(buf, &big, sizeof big);
}

// Dimensions, whether some are NULL, type, number of elements, number of the first one.
#define HEADER_SIZE    20
#define COUNT_AT       12
#define DIMENSION_SIZE 8

void put_list(struct parameters *parameters, enum list_type type)
{
    CHECK(parameters->count < PARAMETERS_MAX);
    parameters->at[parameters->count++] = parameters->text.length;
    parameters->elements = 0;
    add_32(&parameters->text, 1);
    add_32(&parameters->text, 1);
    add_32(&parameters->text, type_oids[type]);
    add_32(&parameters->text, 0); // known at the end
    add_32(&parameters->text, 1);
}

static void element(struct parameters *parameters, const void *bytes, size_t length)
{
    parameters->elements++;
    add_32(&parameters->text, (uint32_t)length);
    buf_add(&parameters->text, bytes, length);
}

void list_null(struct parameters *parameters)
{
    parameters->elements++;
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

void list_bytes(struct parameters *parameters, const void *bytes, size_t length)
{
    element(parameters, bytes, length);
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
    uint32_t count = htobe32(parameters->elements);
    memcpy(parameters->text.data + parameters->at[last] + COUNT_AT, &count, sizeof count);
    parameters->list_lengths[last] = parameters->text.length - parameters->at[last];
}

// ---- answers ------------------------------------------------------------------------------------

// A whole number of two, four or eight bytes.
static int64_t number(const char *bytes, int length)
{
    uint64_t number = bytes[0] < 0 ? UINT64_MAX : 0;
    for (int i = 0; i < length; i++) {
        number = number << 8 | (uint8_t)bytes[i];
    }
    return (int64_t)number;
}

int64_t binary_int(const PGresult *result, int row, int column)
{
    int length = PQgetlength(result, row, column);
    return length == 0 ? 0 : number(PQgetvalue(result, row, column), length);
}

struct instant binary_instant(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? INSTANT_NONE
                                            : instant_from_ms(binary_int(result, row, column));
}

struct uuid binary_uuid(const PGresult *result, int row, int column)
{
    struct uuid id = {{0}};
    if (!PQgetisnull(result, row, column)) {
        memcpy(id.bytes, PQgetvalue(result, row, column), sizeof id.bytes);
    }
    return id;
}

// Of an array of several dimensions too all elements, as unnest gives them.
struct binary_list binary_list(const PGresult *result, int row, int column)
{
    const char *at = PQgetvalue(result, row, column);
    int length = PQgetlength(result, row, column);
    if (length < HEADER_SIZE) { // an empty one has no dimension
        return (struct binary_list){NULL, NULL, 0};
    }
    struct binary_list list = {at + HEADER_SIZE - DIMENSION_SIZE, at + length, 1};
    for (int64_t dimensions = number(at, 4); dimensions > 0; dimensions--) {
        list.count *= (size_t)number(list.at, 4);
        list.at += DIMENSION_SIZE;
    }
    return list;
}

const char *list_next(struct binary_list *list, size_t *length_out)
{
    int64_t length = list->at < list->end ? number(list->at, 4) : -1; // -1 = NULL
    const char *bytes = length < 0 ? NULL : list->at + 4;
    *length_out = length < 0 ? 0 : (size_t)length;
    list->at += list->at < list->end ? 4 + *length_out : 0;
    return bytes;
}

size_t binary_ints(const PGresult *result, int row, int column, int64_t *out, size_t size)
{
    struct binary_list list = binary_list(result, row, column);
    size_t count = list.count < size ? list.count : size;
    for (size_t i = 0; i < count; i++) {
        size_t length;
        const char *bytes = list_next(&list, &length);
        out[i] = bytes == NULL ? 0 : number(bytes, (int)length);
    }
    return count;
}
