// SPDX-License-Identifier: Apache-2.0
#include "tests/host/schema.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct check {
    char *err;
    size_t err_bytes;
    char path[256];
};

static bool fails(struct check *c, const char *what)
{
    snprintf(c->err, c->err_bytes, "In <root>%s: %s", c->path, what);
    return false;
}

static bool is_type(const json_t *v, const char *type)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return strcmp(type, "object") == 0;
    case JSON_ARRAY:
        return strcmp(type, "array") == 0;
    case JSON_STRING:
        return strcmp(type, "string") == 0;
    case JSON_INTEGER:
        return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:
        return strcmp(type, "number") == 0;
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(type, "boolean") == 0;
    default:
        return strcmp(type, "null") == 0;
    }
}

static bool type_fits(const json_t *v, const json_t *type)
{
    if (!type)
        return true;
    if (json_is_string(type))
        return is_type(v, json_string_value(type));
    size_t i;
    json_t *one;
    json_array_foreach (type, i, one) {
        if (json_is_string(one) && is_type(v, json_string_value(one)))
            return true;
    }
    return false;
}

static bool enum_fits(const json_t *v, const json_t *values)
{
    if (!values)
        return true;
    size_t i;
    json_t *one;
    json_array_foreach (values, i, one) {
        if (json_equal(v, one))
            return true;
    }
    return false;
}

static bool fits(struct check *c, json_t *v, json_t *schema);

// Checks a member or element with the path extended by its name for messages.
static bool member_fits(struct check *c, const char *name, json_t *v, json_t *schema)
{
    size_t len = strlen(c->path);
    snprintf(c->path + len, sizeof(c->path) - len, "[%s]", name);
    bool ok = fits(c, v, schema);
    if (ok)
        c->path[len] = 0;
    return ok;
}

static bool object_fits(struct check *c, json_t *v, json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties");
    json_t *additional = json_object_get(schema, "additionalProperties");
    size_t i;
    json_t *name, *member;
    json_array_foreach (json_object_get(schema, "required"), i, name) {
        if (!json_object_get(v, json_string_value(name)))
            return fails(c, "a required key is missing");
    }
    const char *key;
    json_object_foreach (v, key, member) {
        json_t *sub = json_object_get(properties, key);
        if (!sub && json_is_false(additional))
            return fails(c, "a key is not allowed");
        if (!sub)
            sub = additional;
        if (json_is_object(sub) && !member_fits(c, key, member, sub))
            return false;
    }
    return true;
}

static bool array_fits(struct check *c, json_t *v, json_t *items)
{
    size_t i;
    json_t *element;
    if (!json_is_object(items))
        return true;
    json_array_foreach (v, i, element) {
        char name[32];
        snprintf(name, sizeof(name), "%zu", i);
        if (!member_fits(c, name, element, items))
            return false;
    }
    return true;
}

static bool fits(struct check *c, json_t *v, json_t *schema)
{
    if (!type_fits(v, json_object_get(schema, "type")))
        return fails(c, "the value has the wrong type");
    if (!enum_fits(v, json_object_get(schema, "enum")))
        return fails(c, "the value is none of those allowed");
    json_t *minimum = json_object_get(schema, "minimum");
    json_t *maximum = json_object_get(schema, "maximum");
    if (json_is_number(v) && minimum && json_number_value(v) < json_number_value(minimum))
        return fails(c, "the value is too small");
    if (json_is_number(v) && maximum && json_number_value(v) > json_number_value(maximum))
        return fails(c, "the value is too large");
    if (json_is_object(v))
        return object_fits(c, v, schema);
    if (json_is_array(v))
        return array_fits(c, v, json_object_get(schema, "items"));
    return true;
}

int schema_check(const char *schema, const char *config, char *err, size_t err_bytes)
{
    struct check c = {.err = err, .err_bytes = err_bytes};
    json_error_t e;
    json_t *s = json_loads(schema, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(s)) {
        snprintf(err, err_bytes, "the schema is no JSON object: %s", s ? "" : e.text);
        json_decref(s);
        return -EINVAL;
    }
    int rc = 0;
    json_t *v = json_loads(config, JSON_DECODE_ANY, &e);
    if (!v) {
        snprintf(err, err_bytes, "the configuration is no JSON: %s (line %d)", e.text, e.line);
        rc = 1;
    } else if (!fits(&c, v, s)) {
        rc = 1;
    }
    json_decref(v);
    json_decref(s);
    return rc;
}
