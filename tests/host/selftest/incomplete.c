// SPDX-License-Identifier: Apache-2.0
// A plugin that a host must refuse: it can open a capture, but not close one.
#include <stdlib.h>

#include "plugin/falco_abi.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *plugin_get_required_api_version(void)
{
    return "3.0.0";
}

EXPORT const char *plugin_get_version(void)
{
    return "0.1.0";
}

EXPORT const char *plugin_get_name(void)
{
    return "incomplete";
}

EXPORT const char *plugin_get_description(void)
{
    return "a plugin that must be refused";
}

EXPORT const char *plugin_get_contact(void)
{
    return "none";
}

EXPORT void *plugin_init(const struct falco_init_input *in, falco_rc *rc)
{
    (void)in;
    *rc = FALCO_RC_SUCCESS;
    return calloc(1, 1);
}

EXPORT void plugin_destroy(void *s)
{
    free(s);
}

EXPORT const char *plugin_get_last_error(void *s)
{
    (void)s;
    return "";
}

EXPORT falco_rc plugin_capture_open(void *s, const struct falco_listen_input *in)
{
    (void)s;
    (void)in;
    return FALCO_RC_SUCCESS;
}
