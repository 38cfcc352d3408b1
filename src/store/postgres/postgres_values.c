// SPDX-License-Identifier: MIT
// Parameters on their way to the server and fields of what it answers, as text.
#include "store/postgres/postgres_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define PARAMETERS_BYTES ((size_t)1 << 30) // as much as the server takes

void parameters_init(struct parameters *parameters)
{
    *parameters = (struct parameters){.count = 0};
    buf_init(&parameters->text, PARAMETERS_BYTES);
}

void parameters_release(struct parameters *parameters)
{
    buf_release(&parameters->text);
}

static void begin(struct parameters *parameters)
{
    CHECK(parameters->count < PARAMETERS_MAX);
    parameters->at[parameters->count++] = parameters->text.length;
}

static void end(struct parameters *parameters)
{
    buf_add_char(&parameters->text, '\0');
}

void put_null(struct parameters *parameters)
{
    CHECK(parameters->count < PARAMETERS_MAX);
    parameters->at[parameters->count++] = SIZE_MAX;
}

void put_int(struct parameters *parameters, int64_t number)
{
    begin(parameters);
    buf_printf(&parameters->text, "%" PRId64, number);
    end(parameters);
}

void put_text(struct parameters *parameters, const char *text)
{
    if (text == NULL) {
        put_null(parameters);
        return;
    }
    begin(parameters);
    buf_add_string(&parameters->text, text);
    end(parameters);
}

void put_bool(struct parameters *parameters, bool value)
{
    put_text(parameters, value ? "t" : "f");
}

void put_uuid(struct parameters *parameters, struct uuid id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    put_text(parameters, uuid_is_nil(id) ? NULL : text);
}

void put_instant(struct parameters *parameters, struct instant t)
{
    if (operation_has(t)) {
        put_int(parameters, instant_ms(t));
    } else {
        put_null(parameters);
    }
}

// ---- arrays -------------------------------------------------------------------------------------

void array_begin(struct parameters *parameters)
{
    begin(parameters);
    buf_add_char(&parameters->text, '{');
}

void array_end(struct parameters *parameters)
{
    buf_add_char(&parameters->text, '}');
    end(parameters);
}

static void element(struct parameters *parameters)
{
    const char *text = parameters->text.data;
    if (text[parameters->text.length - 1] != '{' ||
        parameters->text.length - 1 != parameters->at[parameters->count - 1]) {
        buf_add_char(&parameters->text, ',');
    }
}

void array_int(struct parameters *parameters, int64_t number)
{
    element(parameters);
    buf_printf(&parameters->text, "%" PRId64, number);
}

static void array_null(struct parameters *parameters)
{
    element(parameters);
    buf_add_string(&parameters->text, "NULL");
}

void array_text(struct parameters *parameters, const char *text)
{
    if (text == NULL) {
        array_null(parameters);
        return;
    }
    element(parameters);
    buf_add_char(&parameters->text, '"');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            buf_add_char(&parameters->text, '\\');
        }
        buf_add_char(&parameters->text, *c);
    }
    buf_add_char(&parameters->text, '"');
}

void array_uuid(struct parameters *parameters, struct uuid id)
{
    if (uuid_is_nil(id)) {
        array_null(parameters);
        return;
    }
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    element(parameters);
    buf_add_string(&parameters->text, text);
}

void array_instant(struct parameters *parameters, struct instant t)
{
    if (operation_has(t)) {
        array_int(parameters, instant_ms(t));
    } else {
        array_null(parameters);
    }
}

// ---- fields -------------------------------------------------------------------------------------

int64_t field_int(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

bool field_bool(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

struct instant field_instant(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? INSTANT_NONE
                                            : instant_from_ms(field_int(result, row, column));
}

struct uuid field_uuid(const PGresult *result, int row, int column)
{
    struct uuid id = {{0}};
    if (!PQgetisnull(result, row, column)) {
        CHECK(uuid_parse(PQgetvalue(result, row, column), &id));
    }
    return id;
}

const char *field_text(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

const char *field_string(const PGresult *result, int row, int column, struct arena *arena)
{
    const char *text = field_text(result, row, column);
    return text == NULL ? NULL : arena_string(arena, text);
}

static int hex_digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

size_t field_bytes(const PGresult *result, int row, int column, void *out, size_t size)
{
    const char *text = field_text(result, row, column);
    size_t length = 0;
    if (text == NULL || text[0] != '\\' || text[1] != 'x') {
        return 0;
    }
    for (text += 2; text[0] != '\0' && length < size; text += 2) {
        ((uint8_t *)out)[length++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
    }
    return length;
}

size_t field_ints(const PGresult *result, int row, int column, int64_t *out, size_t size)
{
    const char *text = PQgetvalue(result, row, column);
    size_t count = 0;
    while (*text != '\0' && *text != '}' && count < size) {
        text++; // the brace or the comma
        if (*text == '}') {
            break;
        }
        char *rest;
        out[count++] = strtoll(text, &rest, 10);
        text = rest + strcspn(rest, ",}"); // NULL is 0
    }
    return count;
}

void field_uuids(const PGresult *result, int row, int column, struct uuid *out, size_t count)
{
    const char *text = PQgetvalue(result, row, column);
    for (size_t i = 0; i < count; i++) {
        char id[UUID_TEXT_SIZE] = "";
        text++; // the brace or the comma
        strncat(id, text, UUID_TEXT_SIZE - 1);
        CHECK(uuid_parse(id, &out[i]));
        text += UUID_TEXT_SIZE - 1;
    }
}
