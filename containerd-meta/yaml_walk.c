// SPDX-License-Identifier: Apache-2.0
#include "yaml_walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct yaml_walk *walk, size_t line, const char *text)
{
    if (!walk->failed)
        snprintf(walk->message, walk->message_size, "%s:%zu: %s", walk->file, line + 1, text);
    walk->failed = true;
    return -EINVAL;
}

int yaml_walk_mistake(struct yaml_walk *walk, const yaml_node_t *node, const char *format, ...)
{
    char text[512], placed[800];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(placed, sizeof(placed), "%s%s%s", walk->path, *walk->path ? ": " : "", text);
    return refuse(walk, node ? node->start_mark.line : 0, placed);
}

static const char *scalar(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

int yaml_walk_expected(struct yaml_walk *walk, const yaml_node_t *node, const char *what)
{
    if (node->type == YAML_MAPPING_NODE)
        return yaml_walk_mistake(walk, node, "expected %s, found a mapping", what);
    if (node->type == YAML_SEQUENCE_NODE)
        return yaml_walk_mistake(walk, node, "expected %s, found a list", what);
    if (node->data.scalar.length == 0 && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return yaml_walk_mistake(walk, node, "expected %s, found nothing", what);
    return yaml_walk_mistake(walk, node, "expected %s, found \"%.80s\"", what, scalar(node));
}

// --- opening -------------------------------------------------------------------------------------

// What one event of the parser says against the text; NULL: nothing.
static const char *objection(const yaml_event_t *event, unsigned *depth, unsigned *documents)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "aliases (*name) are not accepted here: write the value out";
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1)
            return "a second document (---) is not accepted: one document in one file";
        return NULL;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        ++*depth;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        ++*depth;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        --*depth;
        break;
    default:
        break;
    }
    if (anchor)
        return "anchors (&name) are not accepted here: write the value out";
    if (tag)
        return "tags (!name) are not accepted here";
    return *depth > YAML_WALK_MAX_DEPTH ? "nested too deeply" : NULL;
}

static int refuse_syntax(struct yaml_walk *walk, const yaml_parser_t *parser)
{
    char text[256];

    snprintf(text, sizeof(text), "not YAML: %s",
             parser->problem ? parser->problem : "out of memory");
    return refuse(walk, parser->problem_mark.line, text);
}

// A first pass: everything that a strict configuration has no use for.
static int screen(struct yaml_walk *walk, const char *text, size_t len)
{
    unsigned depth = 0, documents = 0;
    yaml_parser_t parser;
    bool end = false;
    int r = 0;

    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (!end && r == 0) {
        yaml_event_t event;
        const char *against;

        if (!yaml_parser_parse(&parser, &event)) {
            r = refuse_syntax(walk, &parser);
            break;
        }
        against = objection(&event, &depth, &documents);
        if (against)
            r = refuse(walk, event.start_mark.line, against);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return r;
}

int yaml_walk_open(struct yaml_walk *walk, const char *file, const char *text, size_t len,
                   char *message, size_t message_size)
{
    yaml_parser_t parser;
    int r;

    *walk = (struct yaml_walk){.file = file, .message = message, .message_size = message_size};
    *message = '\0';
    if (len > YAML_WALK_MAX_BYTES)
        return refuse(walk, 0, "larger than 1 MiB: not a configuration");
    r = screen(walk, text, len);
    if (r < 0)
        return r;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &walk->document))
        r = refuse_syntax(walk, &parser);
    yaml_parser_delete(&parser);
    return r;
}

void yaml_walk_close(struct yaml_walk *walk)
{
    yaml_document_delete(&walk->document);
}

const yaml_node_t *yaml_walk_root(struct yaml_walk *walk)
{
    return yaml_document_get_root_node(&walk->document);
}

// --- the walk ------------------------------------------------------------------------------------

static const yaml_node_t *node_at(struct yaml_walk *walk, int index)
{
    return yaml_document_get_node(&walk->document, index);
}

// Steps into a part of the path; returns what to step back to.
static size_t enter(struct yaml_walk *walk, const char *separator, const char *part)
{
    size_t len = strlen(walk->path);

    snprintf(walk->path + len, sizeof(walk->path) - len, "%s%s", len ? separator : "", part);
    return len;
}

static void leave(struct yaml_walk *walk, size_t len)
{
    walk->path[len] = '\0';
}

static int unknown_key(struct yaml_walk *walk, const yaml_node_t *key, const struct yaml_key *keys)
{
    char known[384] = "";

    for (; keys->name; keys++) {
        size_t len = strlen(known);

        snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", keys->name);
    }
    return yaml_walk_mistake(walk, key, "unknown key \"%.80s\"; known here: %s", scalar(key),
                             known);
}

static int mapping_pair(struct yaml_walk *walk, const yaml_node_t *key, const yaml_node_t *value,
                        const struct yaml_key *keys, uint64_t *seen, void *userdata)
{
    size_t back;
    int r;

    if (key->type != YAML_SCALAR_NODE)
        return yaml_walk_mistake(walk, key, "expected a key, found a list or mapping");
    for (unsigned i = 0; keys[i].name; i++) {
        if (strcmp(keys[i].name, scalar(key)) != 0)
            continue;
        if (*seen & UINT64_C(1) << i)
            return yaml_walk_mistake(walk, key, "key \"%s\" stands twice", keys[i].name);
        *seen |= UINT64_C(1) << i;
        back = enter(walk, ".", keys[i].name);
        r = keys[i].take(walk, value, userdata);
        leave(walk, back);
        return r;
    }
    return unknown_key(walk, key, keys);
}

int yaml_walk_mapping(struct yaml_walk *walk, const yaml_node_t *node, const struct yaml_key *keys,
                      void *userdata)
{
    uint64_t seen = 0;

    if (node->type != YAML_MAPPING_NODE)
        return yaml_walk_expected(walk, node, "a mapping");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        int r = mapping_pair(walk, node_at(walk, pair->key), node_at(walk, pair->value), keys,
                             &seen, userdata);

        if (r < 0)
            return r;
    }
    return 0;
}

int yaml_walk_list(struct yaml_walk *walk, const yaml_node_t *node,
                   int (*take)(struct yaml_walk *walk, const yaml_node_t *element, void *userdata),
                   void *userdata)
{
    unsigned i = 0;

    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_walk_expected(walk, node, "a list");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        char part[16];
        size_t back;
        int r;

        snprintf(part, sizeof(part), "[%u]", i++);
        back = enter(walk, "", part);
        r = take(walk, node_at(walk, *item), userdata);
        leave(walk, back);
        if (r < 0)
            return r;
    }
    return 0;
}

// --- values --------------------------------------------------------------------------------------

static bool is_plain(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

int yaml_walk_bool(struct yaml_walk *walk, const yaml_node_t *node, bool *value)
{
    if (is_plain(node) && strcmp(scalar(node), "true") == 0)
        *value = true;
    else if (is_plain(node) && strcmp(scalar(node), "false") == 0)
        *value = false;
    else
        return yaml_walk_expected(walk, node, "true or false");
    return 0;
}

int yaml_walk_string(struct yaml_walk *walk, const yaml_node_t *node, char **value)
{
    char *copy;

    if (node->type != YAML_SCALAR_NODE)
        return yaml_walk_expected(walk, node, "a string");
    if (strlen(scalar(node)) != node->data.scalar.length)
        return yaml_walk_mistake(walk, node, "expected a string, found one with a NUL in it");
    copy = strdup(scalar(node));
    if (!copy)
        return -ENOMEM;
    free(*value);
    *value = copy;
    return 0;
}

// A number and what follows it. Return: whether there was a number.
static bool number(const yaml_node_t *node, int64_t *value, const char **rest)
{
    const char *text;
    char *end;

    if (!is_plain(node) || node->data.scalar.length == 0)
        return false;
    text = scalar(node);
    if (strspn(text, "-0123456789") == 0)
        return false;
    errno = 0;
    *value = strtoll(text, &end, 10);
    *rest = end;
    return errno == 0 && end != text;
}

int yaml_walk_integer(struct yaml_walk *walk, const yaml_node_t *node, int64_t min, int64_t max,
                      int64_t *value)
{
    const char *rest;
    char what[96];
    int64_t n;

    if (number(node, &n, &rest) && !*rest && n >= min && n <= max) {
        *value = n;
        return 0;
    }
    snprintf(what, sizeof(what), "a whole number from %" PRId64 " to %" PRId64, min, max);
    return yaml_walk_expected(walk, node, what);
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool scaled(const yaml_node_t *node, const struct unit *units, uint64_t *value)
{
    const char *rest;
    int64_t n;

    if (!number(node, &n, &rest) || n < 0)
        return false;
    for (; units->name; units++)
        if (strcmp(units->name, rest) == 0)
            return !__builtin_mul_overflow((uint64_t)n, units->factor, value);
    return false;
}

int yaml_walk_duration(struct yaml_walk *walk, const yaml_node_t *node, uint64_t max_ns,
                       uint64_t *ns)
{
    static const struct unit units[] = {{"", 1000000000},
                                        {"ms", 1000000},
                                        {"s", 1000000000},
                                        {"m", 60 * UINT64_C(1000000000)},
                                        {"h", 3600 * UINT64_C(1000000000)},
                                        {NULL, 0}};
    uint64_t value;
    char what[96];

    if (scaled(node, units, &value) && value <= max_ns) {
        *ns = value;
        return 0;
    }
    snprintf(what, sizeof(what), "a duration like 60 (seconds), 500ms, 1m; at most %" PRIu64 " s",
             max_ns / 1000000000);
    return yaml_walk_expected(walk, node, what);
}

int yaml_walk_size(struct yaml_walk *walk, const yaml_node_t *node, uint64_t min, uint64_t max,
                   uint64_t *bytes)
{
    static const struct unit units[] = {{"", 1},          {"K", 1 << 10},   {"KiB", 1 << 10},
                                        {"M", 1 << 20},   {"MiB", 1 << 20}, {"G", 1 << 30},
                                        {"GiB", 1 << 30}, {NULL, 0}};
    uint64_t value;
    char what[96];

    if (scaled(node, units, &value) && value >= min && value <= max) {
        *bytes = value;
        return 0;
    }
    snprintf(what, sizeof(what), "a size from %" PRIu64 "K to %" PRIu64 "M, like 64M", min >> 10,
             max >> 20);
    return yaml_walk_expected(walk, node, what);
}

int yaml_walk_word(struct yaml_walk *walk, const yaml_node_t *node, const char *const *words,
                   unsigned *index)
{
    char what[160] = "one of";

    for (unsigned i = 0; words[i]; i++) {
        size_t len = strlen(what);

        if (node->type == YAML_SCALAR_NODE && strcmp(scalar(node), words[i]) == 0) {
            *index = i;
            return 0;
        }
        snprintf(what + len, sizeof(what) - len, "%s %s", i ? "," : "", words[i]);
    }
    return yaml_walk_expected(walk, node, what);
}
