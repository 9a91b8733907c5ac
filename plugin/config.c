// SPDX-License-Identifier: Apache-2.0
// Falco turns YAML into JSON by guessing: `1234` for a name becomes a number, `on` a boolean, `[]`
// and `{}` become null. So null is "not given" everywhere, and a string may come as a scalar.
#include "config.h"

#include "region.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the schema ----------------------------------------------------------------------------------

#define S_BOOL \
    "{\"type\":[\"boolean\",\"string\",\"null\"],\"enum\":[true,false,\"true\",\"false\",null]}"
#define S_LIST(items)                                                                              \
    "{\"type\":[\"array\",\"null\"],\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]" items \
    "}}"
#define S_SCALAR "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}"
#define S_OBJECT(properties)                                                                     \
    "{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{" properties \
    "}}"
#define S_SWITCH  S_OBJECT("\"enabled\":" S_BOOL)
#define S_SOCKETS S_OBJECT("\"enabled\":" S_BOOL ",\"sockets\":" S_LIST(""))
#define S_STATIC                                                                                 \
    S_OBJECT("\"enabled\":" S_BOOL ",\"container_id\":" S_SCALAR ",\"container_name\":" S_SCALAR \
             ",\"container_image\":" S_SCALAR)
#define S_ENGINES                                                                          \
    S_OBJECT("\"docker\":" S_SOCKETS ",\"podman\":" S_SOCKETS ",\"containerd\":" S_SOCKETS \
             ",\"cri\":" S_SOCKETS ",\"lxc\":" S_SWITCH ",\"libvirt_lxc\":" S_SWITCH       \
             ",\"bpm\":" S_SWITCH ",\"static\":" S_STATIC)

const char *config_schema(void)
{
    return "{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"type\":[\"object\","
           "\"null\"],\"additionalProperties\":false,\"properties\":{"
           "\"region\":{\"type\":[\"string\",\"null\"],\"description\":\"folder of the shared "
           "region\"},\"region_in_replay\":" S_BOOL ","
           "\"label_max_len\":{\"type\":[\"number\",\"string\",\"null\"]},\"with_size\":" S_BOOL ","
           "\"hooks\":" S_LIST(
               ",\"enum\":[\"create\",\"start\"]") ","
                                                   "\"log_level\":{\"type\":[\"string\",\"null\"],"
                                                   "\"enum\":[\"trace\",\"debug\",\"info\","
                                                   "\"warn\",\"error\",null]},"
                                                   "\"verbosity\":" S_SCALAR
                                                   ",\"engine_timeout\":" S_SCALAR ","
                                                   "\"engines\":" S_ENGINES "}}";
}

// --- errors --------------------------------------------------------------------------------------

struct parser {
    struct config *config;
    char *error;
    size_t error_size;
};

static const char *found_text(const json_t *value, char *buffer, size_t size)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        snprintf(buffer, size, "the string \"%.64s\"", json_string_value(value));
        return buffer;
    case JSON_INTEGER:
        snprintf(buffer, size, "the number %" JSON_INTEGER_FORMAT, json_integer_value(value));
        return buffer;
    case JSON_REAL:
        snprintf(buffer, size, "the number %g", json_real_value(value));
        return buffer;
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "null";
    }
}

static int refuse(struct parser *p, const char *path, const char *expected, const json_t *found,
                  const char *remedy)
{
    char buffer[128];

    snprintf(p->error, p->error_size, "init_config%s%s: expected %s, found %s; %s",
             *path ? "." : "", path, expected, found_text(found, buffer, sizeof(buffer)), remedy);
    return -EINVAL;
}

// Keys are looked at one by one, so that an unknown one is refused by its name.
struct key {
    const char *name;
    int (*take)(struct parser *p, const char *path, const json_t *value);
};

static int refuse_key(struct parser *p, const char *path, const char *key, const struct key *keys)
{
    int at = snprintf(p->error, p->error_size, "init_config%s%s.%.64s: expected one of",
                      *path ? "." : "", path, key);

    for (const struct key *k = keys; k->name && (size_t)at < p->error_size; k++)
        at += snprintf(p->error + at, p->error_size - (size_t)at, "%s %s", k == keys ? "" : ",",
                       k->name);
    if ((size_t)at < p->error_size)
        snprintf(p->error + at, p->error_size - (size_t)at,
                 ", found an unknown key; correct or remove it (options of the daemon have their "
                 "place in /etc/containerd-meta/config.yaml)");
    return -EINVAL;
}

static int take_keys(struct parser *p, const char *path, const json_t *value,
                     const struct key *keys)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return refuse(p, path, "an object", value, "write keys with values below it");
    json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
        const struct key *key = keys;
        char below[160];
        int r;

        while (key->name && strcmp(key->name, name) != 0)
            key++;
        if (!key->name)
            return refuse_key(p, path, name, keys);
        snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", name);
        r = json_is_null(member) ? 0 : key->take(p, below, member);
        if (r < 0)
            return r;
    }
    return 0;
}

// Notes a key that would have an effect in the daemon.
static int note(struct parser *p, const char *path)
{
    char *list = p->config->without_effect;
    size_t used = strlen(list);

    snprintf(list + used, sizeof(p->config->without_effect) - used, "%s%s", used ? ", " : "", path);
    return 0;
}

// --- values --------------------------------------------------------------------------------------

// true and false may come quoted, as other scalars do.
static bool is_true(const json_t *value)
{
    return json_is_true(value) ||
           (json_is_string(value) && !strcmp(json_string_value(value), "true"));
}

static bool is_false(const json_t *value)
{
    return json_is_false(value) ||
           (json_is_string(value) && !strcmp(json_string_value(value), "false"));
}

static int take_bool(struct parser *p, const char *path, const json_t *value, bool *out)
{
    if (!is_true(value) && !is_false(value))
        return refuse(p, path, "true or false", value, "write one of these");
    *out = is_true(value);
    return 0;
}

static int take_text(struct parser *p, const char *path, const json_t *value, char *out,
                     size_t size)
{
    char number[64];
    const char *text = json_string_value(value);

    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
    } else if (json_is_real(value)) {
        snprintf(number, sizeof(number), "%g", json_real_value(value));
        text = number;
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? "true" : "false";
    }
    if (!text)
        return refuse(p, path, "a text", value, "write a word, in quotes if need be");
    if (strlen(text) >= size)
        return refuse(p, path, "a shorter text", value, "shorten it");
    strcpy(out, text);
    return 0;
}

static int take_region(struct parser *p, const char *path, const json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || text[0] != '/' || strlen(text) >= sizeof(p->config->region))
        return refuse(p, path, "the absolute path of a folder", value,
                      "write where containerd-meta keeps its table, normally " CMETA_DEFAULT_DIR);
    strcpy(p->config->region, text);
    return 0;
}

static int take_in_replay(struct parser *p, const char *path, const json_t *value)
{
    return take_bool(p, path, value, &p->config->region_in_replay);
}

static int take_log_level(struct parser *p, const char *path, const json_t *value)
{
    static const struct {
        const char *name;
        enum falco_severity severity;
    } levels[] = {{"trace", FALCO_LOG_TRACE},
                  {"debug", FALCO_LOG_DEBUG},
                  {"info", FALCO_LOG_INFO},
                  {"warn", FALCO_LOG_WARNING},
                  {"error", FALCO_LOG_ERROR}};

    for (size_t i = 0; json_is_string(value) && i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(json_string_value(value), levels[i].name) == 0) {
            p->config->log_level = levels[i].severity;
            return 0;
        }
    return refuse(p, path, "trace, debug, info, warn or error", value, "write one of these");
}

// --- what is the daemon's ------------------------------------------------------------------------

// A whole number, be it quoted, or written as a fraction because it is large.
static bool read_whole(const json_t *value, double *number)
{
    const char *text = json_string_value(value);
    char *end = NULL;

    *number = text ? strtod(text, &end) : json_number_value(value);
    return (text ? end != text && *end == '\0' : json_is_number(value)) && *number > -1e15 &&
           *number < 1e15 && *number == (double)(int64_t)*number;
}

static int take_label_max_len(struct parser *p, const char *path, const json_t *value)
{
    double number;

    if (!read_whole(value, &number))
        return refuse(p, path, "a whole number", value, "write a number of bytes, e.g. 100");
    return (int64_t)number == 100 ? 0 : note(p, path);
}

static int take_with_size(struct parser *p, const char *path, const json_t *value)
{
    bool with_size = false;
    int r = take_bool(p, path, value, &with_size);

    return r < 0 || !with_size ? r : note(p, path);
}

static int take_hooks(struct parser *p, const char *path, const json_t *value)
{
    bool start = false;
    size_t i;
    json_t *hook;

    if (!json_is_array(value))
        return refuse(p, path, "a list of hooks", value, "write e.g. [create]");
    json_array_foreach ((json_t *)(uintptr_t)value, i, hook) {
        const char *name = json_string_value(hook);

        if (!name || (strcmp(name, "create") != 0 && strcmp(name, "start") != 0))
            return refuse(p, path, "create or start", hook, "remove what is neither");
        start = start || strcmp(name, "start") == 0;
    }
    return start || json_array_size(value) == 0 ? note(p, path) : 0;
}

static int take_scalar(struct parser *p, const char *path, const json_t *value)
{
    if (json_is_object(value) || json_is_array(value))
        return refuse(p, path, "a single value", value, "write one number or word, or remove it");
    return note(p, path);
}

static int take_sockets(struct parser *p, const char *path, const json_t *value)
{
    size_t i;
    json_t *socket;

    if (!json_is_array(value))
        return refuse(p, path, "a list of socket paths", value, "write e.g. [/run/docker.sock]");
    json_array_foreach ((json_t *)(uintptr_t)value, i, socket)
        if (json_is_object(socket) || json_is_array(socket) || json_is_null(socket))
            return refuse(p, path, "the path of a socket", socket, "write a path");
    return json_array_size(value) ? note(p, path) : 0;
}

// --- engines -------------------------------------------------------------------------------------

// `enabled` of an engine: the last word of the path above it is the engine's name.
static int take_enabled(struct parser *p, const char *path, const json_t *value)
{
    char name[32] = "";
    bool enabled = false;
    int r = take_bool(p, path, value, &enabled);

    if (r < 0 || enabled)
        return r;
    sscanf(path, "engines.%31[a-z_]", name);
    p->config->layouts &= ~cmeta_layouts_of_engine(name);
    return 0;
}

static int take_socket_engine(struct parser *p, const char *path, const json_t *value)
{
    static const struct key keys[] = {
        {"enabled", take_enabled}, {"sockets", take_sockets}, {NULL, NULL}};

    return take_keys(p, path, value, keys);
}

static int take_switch_engine(struct parser *p, const char *path, const json_t *value)
{
    static const struct key keys[] = {{"enabled", take_enabled}, {NULL, NULL}};

    return take_keys(p, path, value, keys);
}

static int take_static_enabled(struct parser *p, const char *path, const json_t *value)
{
    return take_bool(p, path, value, &p->config->fixed.enabled);
}

static int take_static_id(struct parser *p, const char *path, const json_t *value)
{
    return take_text(p, path, value, p->config->fixed.id, sizeof(p->config->fixed.id));
}

static int take_static_name(struct parser *p, const char *path, const json_t *value)
{
    return take_text(p, path, value, p->config->fixed.name, sizeof(p->config->fixed.name));
}

static int take_static_image(struct parser *p, const char *path, const json_t *value)
{
    return take_text(p, path, value, p->config->fixed.image, sizeof(p->config->fixed.image));
}

// name[:tag][@digest]; a colon before the last slash belongs to the registry's port.
static void split_image(struct config_static *fixed)
{
    char *at, *colon, *slash;

    strcpy(fixed->repo, fixed->image);
    at = strchr(fixed->repo, '@');
    if (at) {
        *at = '\0';
        strcpy(fixed->digest, at + 1);
    }
    slash = strrchr(fixed->repo, '/');
    colon = strchr(slash ? slash : fixed->repo, ':');
    if (colon) {
        *colon = '\0';
        strcpy(fixed->tag, colon + 1);
    }
}

static int take_static(struct parser *p, const char *path, const json_t *value)
{
    static const struct key keys[] = {{"enabled", take_static_enabled},
                                      {"container_id", take_static_id},
                                      {"container_name", take_static_name},
                                      {"container_image", take_static_image},
                                      {NULL, NULL}};
    struct config_static *fixed = &p->config->fixed;
    const char *missing;
    int r = take_keys(p, path, value, keys);

    if (r < 0 || !fixed->enabled)
        return r;
    missing = !*fixed->id      ? "container_id"
              : !*fixed->name  ? "container_name"
              : !*fixed->image ? "container_image"
                               : NULL;
    if (!missing) {
        split_image(fixed);
        return 0;
    }
    snprintf(p->error, p->error_size,
             "init_config.%s.%s: expected a text, found nothing; the static engine needs "
             "container_id, container_name and container_image, or enabled: false",
             path, missing);
    return -EINVAL;
}

// Bits of the layouts that the engines left enabled claim, and of those that no engine of this
// configuration claims at all.
static int take_engines(struct parser *p, const char *path, const json_t *value)
{
    static const struct key keys[] = {{"docker", take_socket_engine},
                                      {"podman", take_socket_engine},
                                      {"containerd", take_socket_engine},
                                      {"cri", take_socket_engine},
                                      {"lxc", take_switch_engine},
                                      {"libvirt_lxc", take_switch_engine},
                                      {"bpm", take_switch_engine},
                                      {"static", take_static},
                                      {NULL, NULL}};
    int r = take_keys(p, path, value, keys);

    // Taking away a disabled engine's layouts took shared ones, too: give them back.
    for (const struct key *key = keys; r == 0 && key->name; key++) {
        const json_t *engine = json_object_get(value, key->name);

        if (!is_false(json_object_get(engine, "enabled")))
            p->config->layouts |= cmeta_layouts_of_engine(key->name);
    }
    return r;
}

// --- the whole -----------------------------------------------------------------------------------

static void set_defaults(struct config *config)
{
    const char *root = getenv("HOST_ROOT");

    if (!root || strlen(root) > CONFIG_PATH_MAX - sizeof(CMETA_DEFAULT_DIR))
        root = "";
    *config = (struct config){.log_level = FALCO_LOG_INFO, .layouts = CMETA_LAYOUTS_ALL};
    snprintf(config->region, sizeof(config->region), "%s%s", root, CMETA_DEFAULT_DIR);
    snprintf(config->proc, sizeof(config->proc), "%s/proc", root);
}

int config_parse(const char *text, struct config *config, char *error, size_t error_size)
{
    static const struct key keys[] = {{"region", take_region},
                                      {"region_in_replay", take_in_replay},
                                      {"label_max_len", take_label_max_len},
                                      {"with_size", take_with_size},
                                      {"hooks", take_hooks},
                                      {"log_level", take_log_level},
                                      {"verbosity", take_scalar},
                                      {"engine_timeout", take_scalar},
                                      {"engines", take_engines},
                                      {NULL, NULL}};
    struct parser parser = {config, error, error_size};
    json_error_t at;
    json_t *root;
    int r = 0;

    set_defaults(config);
    if (!text || !*text)
        return 0;
    root = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &at);
    if (!root) {
        snprintf(error, error_size,
                 "init_config: expected JSON, found what isn't (line %d, column %d: %s); correct "
                 "it there",
                 at.line, at.column, at.text);
        return -EINVAL;
    }
    if (!json_is_null(root))
        r = take_keys(&parser, "", root, keys);
    json_decref(root);
    return r;
}
