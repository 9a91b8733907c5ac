// SPDX-License-Identifier: Apache-2.0
#include "tests/host/extract.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What libsinsp passes for "is a list": a flag bit, not 1.
#define LIST_FLAG 64

static bool is_index(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n < 19 && strspn(s, "0123456789") == n && (n == 1 || s[0] != '0');
}

int extract_request(const struct plugin *p, const char *text, const char *arg, char key[256],
                    struct falco_extract_field *out)
{
    char name[256];
    size_t name_len = strcspn(text, "[");
    size_t len = strlen(text);
    if (name_len >= sizeof(name) || (arg && strlen(arg) >= 256) || len >= 512)
        return -EINVAL;
    snprintf(name, sizeof(name), "%.*s", (int)name_len, text);
    if (arg)
        snprintf(key, 256, "%s", arg);
    else if (text[name_len] == '[' && text[len - 1] == ']')
        snprintf(key, 256, "%.*s", (int)(len - name_len - 2), text + name_len + 1);
    else if (text[name_len])
        return -EINVAL;
    bool has_arg = arg || text[name_len];
    uint32_t id = 0;
    const struct plugin_field *f = plugin_field(p, name, &id);
    if (!f)
        return -ENOENT;
    bool takes_index = f->arg_index && has_arg && is_index(key);
    if (has_arg ? !f->arg_key && !takes_index : f->arg_required)
        return -EINVAL;
    *out = (struct falco_extract_field){.res.u64 = (uint64_t *)INSTANCE_RES_GARBAGE,
                                        .res_len = INSTANCE_LEN_GARBAGE,
                                        .field_id = id,
                                        .field = f->name,
                                        .arg_key = has_arg && f->arg_key ? key : NULL,
                                        .arg_index =
                                            takes_index ? strtoull(key, NULL, 10) : UINT64_MAX,
                                        .arg_present = has_arg,
                                        .ftype = (uint32_t)f->type,
                                        .flist = f->is_list ? LIST_FLAG : 0};
    return 0;
}

static char *address_text(const struct falco_buffer *b)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (b->ptr && b->len == 4)
        inet_ntop(AF_INET, b->ptr, text, sizeof(text));
    else if (b->ptr && b->len == 16)
        inet_ntop(AF_INET6, b->ptr, text, sizeof(text));
    return host_strdup(text);
}

// Value `i` as text, NULL on a breach; *number as well where there is one.
static char *one_value(struct report *r, const struct falco_extract_field *q, size_t i,
                       uint64_t *number)
{
    char text[32];
    switch (q->ftype) {
    case FALCO_FIELD_STRING:
        if (!q->res.str[i]) {
            report_violation(r, "extract_fields: %s: string %zu is NULL", q->field, i);
            return NULL;
        }
        return host_strdup(q->res.str[i]);
    case FALCO_FIELD_BOOL:
        *number = q->res.boolean[i] != 0;
        return host_strdup(*number ? "true" : "false");
    case FALCO_FIELD_IPADDR:
    case FALCO_FIELD_IPNET:
        if (q->res.buf[i].len != 4 && q->res.buf[i].len != 16)
            report_violation(r, "extract_fields: %s: an address has %u bytes", q->field,
                             q->res.buf[i].len);
        return address_text(&q->res.buf[i]);
    default:
        *number = q->res.u64[i];
        snprintf(text, sizeof(text), "%llu", (unsigned long long)*number);
        return host_strdup(text);
    }
}

void extract_read(struct report *r, const struct falco_extract_field *q, falco_rc rc,
                  struct host_value *out)
{
    *out = (struct host_value){.type = (enum falco_field_type)q->ftype, .is_list = q->flist != 0};
    if (rc != FALCO_RC_SUCCESS)
        return;
    if (q->res_len == INSTANCE_LEN_GARBAGE) {
        report_violation(r, "extract_fields: %s: res_len wasn't written", q->field);
        return;
    }
    if (q->res_len == 0)
        return;
    if (!q->res.u64 || (uintptr_t)q->res.u64 == INSTANCE_RES_GARBAGE) {
        report_violation(r, "extract_fields: %s: %llu values without res", q->field,
                         (unsigned long long)q->res_len);
        return;
    }
    if (!q->flist && q->res_len != 1) {
        report_violation(r, "extract_fields: %s: %llu values of a scalar", q->field,
                         (unsigned long long)q->res_len);
        return;
    }
    out->strings = host_alloc(q->res_len * sizeof(char *));
    out->numbers = host_alloc(q->res_len * sizeof(uint64_t));
    out->present = true;
    for (size_t i = 0; i < q->res_len; i++) {
        char *text = one_value(r, q, i, &out->numbers[i]);
        out->strings[i] = text ? text : host_strdup("");
        out->n++;
    }
}

void host_value_clear(struct host_value *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->strings[i]);
    free(v->strings);
    free(v->numbers);
    *v = (struct host_value){.present = false};
}
