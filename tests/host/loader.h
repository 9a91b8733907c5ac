// SPDX-License-Identifier: Apache-2.0
// Loading a plugin: its symbols, what it says about itself, and whether a host would take it.
//
// A loaded plugin is only code; instances are made by host.h. What the static getters say is copied
// and parsed here, before any instance exists, as a real host does.
#ifndef HOST_LOADER_H
#define HOST_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/falco_abi.h"
#include "tests/host/report.h"

// Everything a host looks up: name, result, parameters.
#define PLUGIN_SYMBOLS(X)                                                                         \
    X(get_required_api_version, const char *, (void))                                             \
    X(get_version, const char *, (void))                                                          \
    X(get_name, const char *, (void))                                                             \
    X(get_description, const char *, (void))                                                      \
    X(get_contact, const char *, (void))                                                          \
    X(init, struct falco_plugin *, (const struct falco_init_input *in, falco_rc *rc))             \
    X(destroy, void, (struct falco_plugin * s))                                                   \
    X(get_last_error, const char *, (struct falco_plugin * s))                                    \
    X(get_init_schema, const char *, (uint32_t * type))                                           \
    X(set_config, falco_rc, (struct falco_plugin * s, const struct falco_set_config_input *in))   \
    X(get_metrics, struct falco_metric *, (struct falco_plugin * s, uint32_t * n))                \
    X(get_required_event_schema_version, const char *, (struct falco_plugin * s))                 \
    X(open, struct falco_instance *, (struct falco_plugin * s, const char *params, falco_rc *rc)) \
    X(close, void, (struct falco_plugin * s, struct falco_instance * h))                          \
    X(next_batch, falco_rc,                                                                       \
      (struct falco_plugin * s, struct falco_instance * h, uint32_t * n,                          \
       struct falco_event * **events))                                                            \
    X(get_id, uint32_t, (void))                                                                   \
    X(get_event_source, const char *, (void))                                                     \
    X(list_open_params, const char *, (struct falco_plugin * s, falco_rc * rc))                   \
    X(get_progress, const char *,                                                                 \
      (struct falco_plugin * s, struct falco_instance * h, uint32_t * percent))                   \
    X(event_to_string, const char *,                                                              \
      (struct falco_plugin * s, const struct falco_event_input *in))                              \
    X(get_fields, const char *, (void))                                                           \
    X(extract_fields, falco_rc,                                                                   \
      (struct falco_plugin * s, const struct falco_event_input *ev,                               \
       const struct falco_extract_input *in))                                                     \
    X(get_extract_event_sources, const char *, (void))                                            \
    X(get_extract_event_types, uint16_t *, (uint32_t * n, struct falco_plugin * s))               \
    X(parse_event, falco_rc,                                                                      \
      (struct falco_plugin * s, const struct falco_event_input *ev,                               \
       const struct falco_parse_input *in))                                                       \
    X(get_parse_event_sources, const char *, (void))                                              \
    X(get_parse_event_types, uint16_t *, (uint32_t * n, struct falco_plugin * s))                 \
    X(get_async_events, const char *, (void))                                                     \
    X(set_async_event_handler, falco_rc,                                                          \
      (struct falco_plugin * s, struct falco_owner * o, falco_async_handler h))                   \
    X(get_async_event_sources, const char *, (void))                                              \
    X(dump_state, falco_rc,                                                                       \
      (struct falco_plugin * s, struct falco_owner * o, falco_async_handler h))                   \
    X(capture_open, falco_rc, (struct falco_plugin * s, const struct falco_listen_input *in))     \
    X(capture_close, falco_rc, (struct falco_plugin * s, const struct falco_listen_input *in))

struct plugin_symbols {
#define PLUGIN_SYMBOL_MEMBER(name, result, params) result(*name) params;
    PLUGIN_SYMBOLS(PLUGIN_SYMBOL_MEMBER)
#undef PLUGIN_SYMBOL_MEMBER
};
static_assert(sizeof(struct plugin_symbols) == 33 * sizeof(void (*)(void)), "33 symbols");

struct api_version {
    unsigned major, minor, patch;
};

// A declared field.
struct plugin_field {
    char *name, *desc;
    enum falco_field_type type;
    const char *type_name;
    bool is_list, arg_index, arg_key, arg_required;
};

struct plugin {
    void *handle;
    struct plugin_symbols sym;
    struct api_version required;
    char *name, *version, *description, *contact;
    unsigned capabilities; // enum falco_capability
    struct plugin_field *fields;
    size_t n_fields;
    char **async_events;
    size_t n_async_events;
};

/**
 * plugin_load - load a plugin as a host of API version `host` would
 * @err, @err_bytes: on refusal, why
 *
 * Breaches of the contract (a NULL string where one must be) go to the report.
 *
 * Return: the plugin, to be freed with plugin_unload; NULL: refused.
 */
struct plugin *plugin_load(struct report *r, const char *path, struct api_version host, char *err,
                           size_t err_bytes);
void plugin_unload(struct plugin *p);

// The field, or NULL. `id` may be NULL.
const struct plugin_field *plugin_field(const struct plugin *p, const char *name, uint32_t *id);
// "sourcing extraction …" into `buf`.
void plugin_capability_names(const struct plugin *p, char *buf, size_t bytes);
// Reads "x.y.z"; false if it isn't.
bool api_version_parse(const char *text, struct api_version *v);
// Whether a host of version `host` serves a plugin that requires `required`.
bool api_version_serves(struct api_version host, struct api_version required);

#endif
