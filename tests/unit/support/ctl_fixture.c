// SPDX-License-Identifier: Apache-2.0
#include "ctl_fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ctl_fixture fixture = {.lock_fd = -1};

const char *const ctl_environment[] = {"LC_ALL=C.UTF-8", NULL};

void ctl_begin_empty(void)
{
    temp_dir_make(&fixture.dir);
}

void ctl_begin(void)
{
    ctl_begin_empty();
    ctl_lock();
    fixture.writer = sample_writer(fixture.dir.path, NULL);
}

void ctl_lock(void)
{
    ck_assert_int_eq(cmeta_lock_take(fixture.dir.path, 0, &fixture.lock_fd), 0);
}

void ctl_unlock(void)
{
    if (fixture.lock_fd >= 0)
        close(fixture.lock_fd);
    fixture.lock_fd = -1;
}

void ctl_end(void)
{
    fixture.writer = fixture.writer ? cmeta_writer_free(fixture.writer) : NULL;
    ctl_unlock();
    temp_dir_remove(&fixture.dir);
}

void ctl_check(struct program_result result, int status, const char *in_err)
{
    ck_assert_msg(result.status == status, "status %d, not %d: %s%s", result.status, status,
                  result.out, result.err);
    if (in_err)
        ck_assert_msg(strstr(result.err, in_err) != NULL, "no \"%s\" in: %s", in_err, result.err);
    else
        ck_assert_str_eq(result.err, "");
    program_result_free(&result);
}

json_t *ctl_value(struct program_result result)
{
    json_error_t error;
    json_t *value = json_loads(result.out, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(value != NULL, "%s: %s", error.text, result.out);
    ctl_check(result, 0, NULL);
    return value;
}

const char *ctl_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

void ctl_put(const char *id, const char *scope, const struct cmeta_container *content,
             uint32_t word, uint32_t pid)
{
    _Alignas(8) static uint8_t record[CMETA_RECORD_MAX];
    struct cmeta_name name = {{id, (uint32_t)strlen(id)}, {scope, (uint32_t)strlen(scope)}};
    struct cmeta_live live = {
        .word = word, .pid = pid, .first_seen_ns = UINT64_C(1700000002000000000)};
    int size = cmeta_record_encode(content, record, sizeof(record), NULL);

    ck_assert_int_gt(size, 0);
    ck_assert_int_ge(cmeta_writer_put(fixture.writer, &name, record, (size_t)size, &live), 0);
}

void ctl_engine(uint32_t index, const char *name, enum cmeta_engine_state state, const char *error)
{
    struct cmeta_engine_row row = {.state = state};

    snprintf(row.name, sizeof(row.name), "%s", name);
    snprintf(row.socket, sizeof(row.socket), "/run/%s.sock", name);
    snprintf(row.last_error, sizeof(row.last_error), "%s", error);
    cmeta_writer_engine(fixture.writer, index, &row);
}
