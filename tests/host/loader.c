// SPDX-License-Identifier: Apache-2.0
#include "tests/host/loader.h"

#include <dlfcn.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct load {
    struct report *report;
    struct plugin *plugin;
    char *err;
    size_t err_bytes;
};

static bool refuse(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct load *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(l->err, l->err_bytes, fmt, ap);
    va_end(ap);
    return false;
}

bool api_version_parse(const char *text, struct api_version *v)
{
    return text && sscanf(text, "%u.%u.%u", &v->major, &v->minor, &v->patch) == 3;
}

bool api_version_serves(struct api_version host, struct api_version required)
{
    if (host.major != required.major || host.minor < required.minor)
        return false;
    return host.minor > required.minor || host.patch >= required.patch;
}

static void resolve(struct plugin *p)
{
    // A function pointer is stored through memory: ISO C has no conversion from void *.
#define RESOLVE(name, result, params)                     \
    {                                                     \
        void *symbol = dlsym(p->handle, "plugin_" #name); \
        memcpy(&p->sym.name, &symbol, sizeof(symbol));    \
    }
    PLUGIN_SYMBOLS(RESOLVE)
#undef RESOLVE
}

static bool check_api(struct load *l, struct api_version host)
{
    const struct plugin_symbols *s = &l->plugin->sym;
    if (!s->get_required_api_version)
        return refuse(l, "symbol plugin_get_required_api_version is missing");
    const char *text = s->get_required_api_version();
    if (!text)
        report_violation(l->report, "get_required_api_version returned NULL");
    struct api_version *v = &l->plugin->required;
    if (!api_version_parse(text, v))
        return refuse(l, "the required API version is not x.y.z");
    if (!api_version_serves(host, *v))
        return refuse(l, "the plugin requires API %u.%u.%u, the host has %u.%u.%u", v->major,
                      v->minor, v->patch, host.major, host.minor, host.patch);
    return true;
}

static bool copy_string(struct load *l, const char *(*get)(void), const char *what, char **out)
{
    if (!get)
        return refuse(l, "symbol plugin_%s is missing", what);
    const char *s = get();
    if (!s || !*s) {
        report_violation(l->report, "%s returned %s", what, s ? "an empty string" : "NULL");
        return refuse(l, "%s returned nothing", what);
    }
    *out = host_strdup(s);
    return true;
}

static bool check_identity(struct load *l)
{
    struct plugin *p = l->plugin;
    if (!p->sym.init || !p->sym.destroy || !p->sym.get_last_error)
        return refuse(l, "one of plugin_init, plugin_destroy, plugin_get_last_error is missing");
    if (!copy_string(l, p->sym.get_name, "get_name", &p->name) ||
        !copy_string(l, p->sym.get_description, "get_description", &p->description) ||
        !copy_string(l, p->sym.get_contact, "get_contact", &p->contact) ||
        !copy_string(l, p->sym.get_version, "get_version", &p->version))
        return false;
    struct api_version v;
    if (!api_version_parse(p->version, &v))
        return refuse(l, "the plugin's version %s is not x.y.z", p->version);
    return true;
}

static bool check_sourcing(struct load *l)
{
    const struct plugin_symbols *s = &l->plugin->sym;
    int n = !!s->open + !!s->close + !!s->next_batch;
    if (n != 0 && n != 3)
        return refuse(l, "open, close and next_batch go together");
    if (n == 0)
        return true;
    const char *source = s->get_event_source ? s->get_event_source() : NULL;
    bool has_source = source && *source;
    bool has_id = s->get_id && s->get_id() != 0;
    if (has_id != has_source)
        return refuse(l, "a plugin has both an id and an event source, or neither");
    if (has_source && strcmp(source, "syscall") == 0)
        return refuse(l, "a plugin's event source can't be syscall");
    l->plugin->capabilities |= FALCO_CAP_SOURCING;
    return true;
}

static bool check_capabilities(struct load *l)
{
    struct plugin *p = l->plugin;
    const struct plugin_symbols *s = &p->sym;
    if (!check_sourcing(l))
        return false;
    if (s->extract_fields && !s->get_fields)
        return refuse(l, "extract_fields without get_fields");
    if (s->set_async_event_handler && !s->get_async_events)
        return refuse(l, "set_async_event_handler without get_async_events");
    if (s->capture_open && !s->capture_close)
        return refuse(l, "capture_open without capture_close");
    if (s->extract_fields)
        p->capabilities |= FALCO_CAP_EXTRACTION;
    if (s->parse_event)
        p->capabilities |= FALCO_CAP_PARSING;
    if (s->set_async_event_handler)
        p->capabilities |= FALCO_CAP_ASYNC;
    if (s->capture_open)
        p->capabilities |= FALCO_CAP_LISTENING;
    return p->capabilities ? true : refuse(l, "the plugin has no capability");
}

// --- declarations in JSON ------------------------------------------------------------------------

static const struct {
    const char *name;
    enum falco_field_type type;
} field_types[] = {
    {"string", FALCO_FIELD_STRING},   {"uint64", FALCO_FIELD_UINT64},
    {"bool", FALCO_FIELD_BOOL},       {"reltime", FALCO_FIELD_RELTIME},
    {"abstime", FALCO_FIELD_ABSTIME}, {"ipaddr", FALCO_FIELD_IPADDR},
    {"ipnet", FALCO_FIELD_IPNET},
};

static bool read_type(struct plugin_field *f, const char *name)
{
    for (size_t i = 0; name && i < sizeof(field_types) / sizeof(field_types[0]); i++)
        if (strcmp(field_types[i].name, name) == 0) {
            f->type = field_types[i].type;
            f->type_name = field_types[i].name;
            return true;
        }
    return false;
}

// A boolean key: false on a wrong type, which a host takes for a reason to refuse.
static bool read_bool(const json_t *o, const char *key, bool *out)
{
    const json_t *v = json_object_get(o, key);
    if (v && !json_is_boolean(v))
        return false;
    *out = json_is_true(v);
    return true;
}

static bool read_field(struct load *l, const json_t *o, struct plugin_field *f)
{
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *desc = json_string_value(json_object_get(o, "desc"));
    if (!name || !*name || !desc || !*desc)
        return refuse(l, "a field lacks its name or its description");
    f->name = host_strdup(name);
    f->desc = host_strdup(desc);
    if (!read_type(f, json_string_value(json_object_get(o, "type"))))
        return refuse(l, "field %s has no valid type", name);
    const json_t *arg = json_object_get(o, "arg");
    bool suggested;
    if (!read_bool(o, "isList", &f->is_list) || !read_bool(o, "addOutput", &suggested) ||
        (arg && !json_is_object(arg)) || !read_bool(arg, "isRequired", &f->arg_required) ||
        !read_bool(arg, "isIndex", &f->arg_index) || !read_bool(arg, "isKey", &f->arg_key))
        return refuse(l, "field %s: a key has the wrong JSON type", name);
    if (f->arg_required && !f->arg_index && !f->arg_key)
        return refuse(l, "field %s requires an argument that is neither index nor key", name);
    return true;
}

static bool read_fields(struct load *l)
{
    struct plugin *p = l->plugin;
    if (!(p->capabilities & FALCO_CAP_EXTRACTION))
        return true;
    const char *text = p->sym.get_fields();
    json_error_t e;
    json_t *all = text ? json_loads(text, 0, &e) : NULL;
    if (!json_is_array(all) || json_array_size(all) == 0) {
        report_violation(l->report, "get_fields returned no JSON array with at least one field");
        json_decref(all);
        return refuse(l, "the fields can't be read");
    }
    size_t n = json_array_size(all);
    p->fields = host_alloc(n * sizeof(*p->fields));
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        p->n_fields++;
        ok = read_field(l, json_array_get(all, i), &p->fields[i]);
    }
    json_decref(all);
    return ok;
}

// A list of strings; NULL and "" are empty ones. *out may be NULL.
static bool read_names(struct load *l, const char *what, const char *text, char ***out, size_t *n)
{
    *n = 0;
    if (!text || !*text)
        return true;
    json_t *all = json_loads(text, 0, NULL);
    bool ok = json_is_array(all);
    size_t count = json_array_size(all);
    char **names = host_alloc(count * sizeof(char *));
    for (size_t i = 0; i < count && ok; i++) {
        const char *name = json_string_value(json_array_get(all, i));
        ok = name != NULL;
        if (name)
            names[(*n)++] = host_strdup(name);
    }
    json_decref(all);
    *out = names;
    return ok ? true : refuse(l, "%s is no JSON array of strings", what);
}

static bool read_lists(struct load *l)
{
    struct plugin *p = l->plugin;
    const struct plugin_symbols *s = &p->sym;
    const struct {
        const char *what;
        const char *(*get)(void);
    } sources[] = {{"get_extract_event_sources", s->get_extract_event_sources},
                   {"get_parse_event_sources", s->get_parse_event_sources},
                   {"get_async_event_sources", s->get_async_event_sources}};
    for (size_t i = 0; i < 3; i++) {
        char **names = NULL;
        size_t n = 0;
        bool ok = !sources[i].get || read_names(l, sources[i].what, sources[i].get(), &names, &n);
        for (size_t k = 0; k < n; k++)
            free(names[k]);
        free(names);
        if (!ok)
            return false;
    }
    if (!(p->capabilities & FALCO_CAP_ASYNC))
        return true;
    if (!read_names(l, "get_async_events", s->get_async_events(), &p->async_events,
                    &p->n_async_events))
        return false;
    return p->n_async_events ? true : refuse(l, "get_async_events names no event");
}

struct plugin *plugin_load(struct report *r, const char *path, struct api_version host, char *err,
                           size_t err_bytes)
{
    struct plugin *p = host_alloc(sizeof(*p));
    struct load l = {r, p, err, err_bytes};
    p->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!p->handle) {
        refuse(&l, "%s", dlerror());
        free(p);
        return NULL;
    }
    resolve(p);
    if (check_api(&l, host) && check_identity(&l) && check_capabilities(&l) && read_fields(&l) &&
        read_lists(&l))
        return p;
    plugin_unload(p);
    return NULL;
}

void plugin_unload(struct plugin *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_fields; i++) {
        free(p->fields[i].name);
        free(p->fields[i].desc);
    }
    for (size_t i = 0; i < p->n_async_events; i++)
        free(p->async_events[i]);
    free(p->fields);
    free(p->async_events);
    free(p->name);
    free(p->version);
    free(p->description);
    free(p->contact);
    dlclose(p->handle);
    free(p);
}

const struct plugin_field *plugin_field(const struct plugin *p, const char *name, uint32_t *id)
{
    for (size_t i = 0; i < p->n_fields; i++)
        if (strcmp(p->fields[i].name, name) == 0) {
            if (id)
                *id = (uint32_t)i;
            return &p->fields[i];
        }
    return NULL;
}

void plugin_capability_names(const struct plugin *p, char *buf, size_t bytes)
{
    static const char *const names[] = {"sourcing", "extraction", "parsing", "async", "listening"};
    size_t at = 0;
    buf[0] = 0;
    for (size_t i = 0; i < 5; i++)
        if (p->capabilities & (1u << i) && at < bytes) {
            int n = snprintf(buf + at, bytes - at, "%s%s", at ? " " : "", names[i]);
            at += (size_t)n;
        }
}
