// SPDX-License-Identifier: Apache-2.0
#include "shm/record.h"
#include "unit/support/check_main.h"
#include "unit/support/sample_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static _Alignas(8) uint8_t bytes[CMETA_RECORD_MAX], again[CMETA_RECORD_MAX];

static void assert_str(struct cmeta_str s, const char *expected)
{
    ck_assert_uint_eq(s.len, strlen(expected));
    ck_assert_mem_eq(s.data, expected, s.len);
}

static struct cmeta_view encode(const struct cmeta_container *content, uint32_t *flags)
{
    struct cmeta_view view;
    int size = cmeta_record_encode(content, bytes, sizeof(bytes), flags);

    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(size % 8, 0);
    ck_assert_int_eq(cmeta_view_init(&view, bytes, (size_t)size), 0);
    return view;
}

static struct cmeta_str string_of(const struct cmeta_view *view, enum cmeta_string which)
{
    struct cmeta_str s;

    ck_assert_int_eq(cmeta_view_string(view, which, &s), 1);
    return s;
}

START_TEST(what_was_encoded_is_read)
{
    struct cmeta_container content;
    struct cmeta_view view;
    struct cmeta_mount mount;
    struct cmeta_str s;

    sample_content(7, 3, &content);
    view = encode(&content, NULL);
    ck_assert_uint_eq(cmeta_view_known(&view), CMETA_GROUPS_ALL);
    ck_assert_uint_eq(cmeta_view_flags(&view), CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(cmeta_view_type(&view), CMETA_TYPE_DOCKER);
    assert_str(string_of(&view, CMETA_STRING_NAME), "container-7");
    assert_str(string_of(&view, CMETA_STRING_IMAGE), "registry.example.com:5000/team/app-7:v3");
    ck_assert_int_eq(cmeta_view_string(&view, CMETA_STRING_POD_NAME, &s), 0);
    assert_str(string_of(&view, CMETA_STRING_MOUNTS_JOINED),
               "/srv/data:/data::true:rprivate,/srv/3:/version:ro:false:");
    ck_assert_int_eq(cmeta_view_mount(&view, 1, &mount), 1);
    assert_str(mount.joined, "/srv/3:/version:ro:false:");
    assert_str(mount.source, "/srv/3");
    assert_str(mount.destination, "/version");
    assert_str(mount.mode, "ro");
    assert_str(mount.propagation, "");
    ck_assert(!mount.rw);
    ck_assert_int_eq(cmeta_view_mount(&view, 2, &mount), 0);
    ck_assert_int_eq(cmeta_view_text(&view, CMETA_LIST_ADDRESSES, 1, &s), 1);
    assert_str(s, "fd00::5");
}
END_TEST

START_TEST(labels_are_sorted_joined_and_found)
{
    static const struct cmeta_label labels[] = {
        {CMETA_STR("zz"), CMETA_STR("1")},
        {CMETA_STR("empty"), CMETA_STR("")},
        {CMETA_STR("io.kubernetes.pod.name"), CMETA_STR("p-0")},
        {CMETA_STR("annotation.x"), CMETA_STR("y")},
        {CMETA_STR("app"), CMETA_STR("old")},
        {CMETA_STR("app"), CMETA_STR("w")},
    };
    struct cmeta_container content = {.labels = labels, .labels_count = 6};
    struct cmeta_view view = encode(&content, NULL);
    struct cmeta_str value;

    assert_str(string_of(&view, CMETA_STRING_LABELS_JOINED), "app:w, empty, zz:1");
    ck_assert_uint_eq(cmeta_view_count(&view, CMETA_LIST_LABELS), 5);
    ck_assert_int_eq(cmeta_view_find_label(&view, CMETA_LIST_LABELS, "app", 3, &value), 1);
    assert_str(value, "w");
    ck_assert_int_eq(
        cmeta_view_find_label(&view, CMETA_LIST_LABELS, "io.kubernetes.pod.name", 22, &value), 1);
    assert_str(value, "p-0");
    ck_assert_int_eq(cmeta_view_find_label(&view, CMETA_LIST_LABELS, "empty", 5, &value), 1);
    assert_str(value, "");
    ck_assert_int_eq(cmeta_view_find_label(&view, CMETA_LIST_LABELS, "ap", 2, &value), 0);
    ck_assert_int_eq(cmeta_view_find_label(&view, CMETA_LIST_POD_LABELS, "app", 3, &value), 0);
}
END_TEST

START_TEST(probes_are_joined_with_spaces)
{
    static const struct cmeta_str args[] = {CMETA_STR("-c"), CMETA_STR("test -e /tmp/ok")};
    struct cmeta_container content = {
        .probes[CMETA_PROBE_HEALTHCHECK] = {CMETA_STR("/bin/sh"), args, 2}};
    struct cmeta_view view = encode(&content, NULL);
    struct cmeta_str s;

    assert_str(string_of(&view, CMETA_STRING_HEALTHCHECK), "/bin/sh -c test -e /tmp/ok");
    ck_assert_uint_eq(cmeta_view_count(&view, CMETA_LIST_HEALTHCHECK_ARGS), 3);
    ck_assert_int_eq(cmeta_view_text(&view, CMETA_LIST_HEALTHCHECK_ARGS, 2, &s), 1);
    assert_str(s, "test -e /tmp/ok");
    ck_assert_int_eq(cmeta_view_string(&view, CMETA_STRING_LIVENESS, &s), 0);
}
END_TEST

START_TEST(decoding_and_encoding_again_gives_the_same_bytes)
{
    static const struct cmeta_port ports[] = {{CMETA_STR("0.0.0.0"), 8080, 80, CMETA_STR("tcp")},
                                              {CMETA_STR("::"), 53, 53, CMETA_STR("udp")}};
    static const struct cmeta_str env[] = {CMETA_STR("A=1"), CMETA_STR("B")};
    static const struct cmeta_str args[] = {CMETA_STR("-q")};
    struct cmeta_container content, decoded;
    struct cmeta_view view;
    void *scratch;
    int size;

    sample_content(4, 9, &content);
    content.ports = ports;
    content.ports_count = 2;
    content.env = env;
    content.env_count = 2;
    content.probes[CMETA_PROBE_READINESS] = (struct cmeta_probe){CMETA_STR("/ready"), args, 1};
    content.known = CMETA_GROUP_BIT(CMETA_GROUP_IMAGE);
    content.reason[CMETA_GROUP_LABELS] = CMETA_REASON_NOT_YET;
    content.source[CMETA_GROUP_IMAGE] = 3;
    view = encode(&content, NULL);
    ck_assert_int_eq(cmeta_view_decode(&view, &decoded, &scratch), 0);
    size = cmeta_record_encode(&decoded, again, sizeof(again), NULL);
    ck_assert_uint_eq((unsigned)size, view.size);
    ck_assert_mem_eq(again, bytes, view.size);
    free(scratch);
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_replaced_and_flagged)
{
    static const char *const bad[] = {"a\377b", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "x\xe2\x82"};
    static const char *const mended[] = {"a?b", "??", "???", "????", "x??"};
    uint32_t flags;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cmeta_container content = {0};
        struct cmeta_view view;

        content.strings[CMETA_STRING_NAME] = (struct cmeta_str){bad[i], (uint32_t)strlen(bad[i])};
        view = encode(&content, &flags);
        ck_assert(flags & CMETA_FLAG_SANITIZED);
        assert_str(string_of(&view, CMETA_STRING_NAME), mended[i]);
    }
    struct cmeta_container good = {.strings[CMETA_STRING_NAME] =
                                       CMETA_STR("na\xc3\xafve \xf0\x9f\x90\xb3\n")};
    struct cmeta_view view = encode(&good, &flags);

    ck_assert_uint_eq(flags, 0);
    assert_str(string_of(&view, CMETA_STRING_NAME), "na\xc3\xafve \xf0\x9f\x90\xb3\n");
}
END_TEST

START_TEST(what_does_not_fit_is_left_out_and_flagged)
{
    static char big[4096];
    static struct cmeta_label labels[500];
    static char keys[500][16];
    struct cmeta_container content;
    struct cmeta_view view;
    struct cmeta_str value;
    uint32_t flags;

    memset(big, 'x', sizeof(big));
    for (unsigned i = 0; i < 500; i++) {
        int len = snprintf(keys[i], sizeof(keys[i]), "key-%03u", i);

        labels[i] = (struct cmeta_label){{keys[i], (uint32_t)len}, {big, i == 250 ? 3 : 4096}};
    }
    sample_content(1, 1, &content);
    content.labels = labels;
    content.labels_count = 500;
    view = encode(&content, &flags);
    ck_assert(flags & CMETA_FLAG_TRUNCATED);
    ck_assert_uint_le(view.size, CMETA_RECORD_MAX);
    // The largest went first: the small one and the other groups are all there.
    ck_assert_int_eq(cmeta_view_find_label(&view, CMETA_LIST_LABELS, "key-250", 7, &value), 1);
    assert_str(string_of(&view, CMETA_STRING_NAME), "container-1");
    ck_assert_uint_eq(cmeta_view_count(&view, CMETA_LIST_MOUNTS), 2);
    ck_assert_uint_gt(cmeta_view_count(&view, CMETA_LIST_LABELS), 10);
}
END_TEST

START_TEST(too_small_a_buffer_is_an_error)
{
    struct cmeta_container content;

    sample_content(1, 1, &content);
    ck_assert_int_eq(cmeta_record_encode(&content, bytes, 100, NULL), -ENOSPC);
    ck_assert_int_eq(cmeta_record_encode(&content, bytes, 400, NULL), -ENOSPC);
}
END_TEST

// Every property of a view, read for its side effects: AddressSanitizer watches the bounds.
static unsigned read_all(const struct cmeta_view *view)
{
    unsigned sum = 0;
    struct cmeta_str s;
    struct cmeta_label label;
    struct cmeta_mount mount;
    struct cmeta_port port;
    struct cmeta_container content;
    void *scratch;

    for (unsigned i = 0; i < CMETA_STRING_COUNT + 2u; i++)
        if (cmeta_view_string(view, i, &s) && s.len)
            sum += (unsigned char)s.data[0] + (unsigned char)s.data[s.len - 1];
    for (unsigned list = 0; list < CMETA_LIST_COUNT + 2u; list++)
        for (uint32_t i = 0; i <= cmeta_view_count(view, list) && i < 100; i++) {
            if (cmeta_view_label(view, list, i, &label) && label.value.len)
                sum += (unsigned char)label.value.data[label.value.len - 1];
            if (cmeta_view_text(view, list, i, &s) && s.len)
                sum += (unsigned char)s.data[s.len - 1];
        }
    for (uint32_t i = 0; i < 100; i++) {
        if (cmeta_view_mount(view, i, &mount) && mount.joined.len)
            sum += (unsigned char)mount.joined.data[mount.joined.len - 1];
        if (cmeta_view_port(view, i, &port))
            sum += port.host_port;
    }
    cmeta_view_find_label(view, CMETA_LIST_LABELS, "app", 3, &s);
    if (cmeta_view_decode(view, &content, &scratch) == 0)
        free(scratch);
    return sum;
}

START_TEST(noise_is_survived)
{
    struct cmeta_container content;
    struct cmeta_view view, noisy;
    uint8_t *copy; // of the exact size, so that a step beyond it is seen
    unsigned seed = 12345;

    sample_content(5, 5, &content);
    view = encode(&content, NULL);
    copy = malloc(view.size);
    ck_assert_ptr_nonnull(copy);
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(copy, bytes, view.size);
        for (unsigned n = 0; n < 1 + round % 7; n++)
            copy[8 + (unsigned)rand_r(&seed) % (view.size - 8)] = (uint8_t)rand_r(&seed);
        if (cmeta_view_init(&noisy, copy, view.size) == 0)
            read_all(&noisy);
    }
    free(copy);
    ck_assert_int_eq(cmeta_view_init(&noisy, bytes, 100), -EBADMSG);
    ck_assert_int_eq(cmeta_view_init(&noisy, bytes, view.size - 8), -EBADMSG);
}
END_TEST

START_TEST(codes_have_names)
{
    ck_assert_str_eq(cmeta_type_name(CMETA_TYPE_CRIO), "cri-o");
    ck_assert_str_eq(cmeta_type_name(CMETA_TYPE_STATIC), "");
    ck_assert_str_eq(cmeta_reason_name(CMETA_REASON_NOT_TOLD), "not-told");
    ck_assert_str_eq(cmeta_reason_name(200), "unknown");
    ck_assert_str_eq(cmeta_group_name(CMETA_GROUP_HEALTH), "health");
    ck_assert_str_eq(cmeta_state_name(CMETA_STATE_REMOVED), "removed");
    ck_assert_str_eq(cmeta_health_name(CMETA_HEALTH_UNHEALTHY), "unhealthy");
}
END_TEST

// Whoever makes a container must not be able to hide what it is behind a large something.
START_TEST(nothing_is_too_large_to_be_encoded)
{
    static struct cmeta_str args[70000];
    static struct cmeta_label labels[20000];
    static struct cmeta_mount mounts[20000];
    static char long_text[2000], keys[20000][8];
    struct cmeta_container content = {.known = CMETA_GROUPS_ALL, .flags = CMETA_FLAG_PRIVILEGED};
    struct cmeta_view view;
    struct cmeta_str name;
    uint32_t flags;
    int size;

    memset(long_text, 'x', sizeof(long_text));
    for (unsigned i = 0; i < 70000; i++)
        args[i] = (struct cmeta_str){long_text, 1100};
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%u", i);
        labels[i] =
            (struct cmeta_label){{keys[i], (uint32_t)strlen(keys[i])}, {long_text, i % 100}};
        mounts[i] = (struct cmeta_mount){.source = {long_text, 20}, .destination = {long_text, 30}};
    }
    content.strings[CMETA_STRING_NAME] = CMETA_STR("web");
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++)
        content.probes[p] = (struct cmeta_probe){{long_text, 2000}, args, 70000};
    for (unsigned i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        if (i != CMETA_STRING_NAME)
            content.strings[i] = (struct cmeta_str){long_text, 2000};
    content.labels = content.pod_labels = labels;
    content.labels_count = content.pod_labels_count = 20000;
    content.mounts = mounts;
    content.mounts_count = 20000;
    size = cmeta_record_encode(&content, bytes, sizeof(bytes), &flags);
    ck_assert_int_gt(size, 0);
    ck_assert_int_le(size, (int)CMETA_RECORD_MAX);
    ck_assert_uint_ne(flags & CMETA_FLAG_TRUNCATED, 0);
    ck_assert_int_eq(cmeta_view_init(&view, bytes, (size_t)size), 0);
    ck_assert_uint_ne(cmeta_view_flags(&view) & CMETA_FLAG_PRIVILEGED, 0);
    ck_assert_int_eq(cmeta_view_string(&view, CMETA_STRING_NAME, &name), 1);
    ck_assert_uint_eq(name.len, 3);
}
END_TEST

START_TEST(a_record_of_an_older_layout_has_no_cgroup)
{
    static uint64_t buffer[CMETA_RECORD_MAX / 8];
    struct cmeta_container in = {.size_rw = -1, .cgroup_id = UINT64_C(0x123456789)}, out;
    struct cmeta_record_head *head = (void *)buffer;
    struct cmeta_view view;
    void *scratch;
    int size = cmeta_record_encode(&in, buffer, sizeof(buffer), NULL);

    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(cmeta_view_init(&view, buffer, (size_t)size), 0);
    ck_assert_int_eq(cmeta_view_decode(&view, &out, &scratch), 0);
    ck_assert_uint_eq(out.cgroup_id, UINT64_C(0x123456789));
    free(scratch);
    head->head_bytes = CMETA_RECORD_HEAD_MIN;
    ck_assert_int_eq(cmeta_view_decode(&view, &out, &scratch), 0);
    ck_assert_uint_eq(out.cgroup_id, 0);
    free(scratch);
    // nothing but such a head
    head->size_bytes = CMETA_RECORD_HEAD_MIN;
    ck_assert_int_eq(cmeta_view_init(&view, buffer, CMETA_RECORD_HEAD_MIN), 0);
    ck_assert_int_eq(cmeta_view_decode(&view, &out, &scratch), 0);
    ck_assert_uint_eq(out.cgroup_id, 0);
    free(scratch);
    ck_assert_int_eq(cmeta_view_init(&view, buffer, CMETA_RECORD_HEAD_MIN - 1), -EBADMSG);
}
END_TEST

CHECK_MAIN("record", 20, nothing_is_too_large_to_be_encoded, what_was_encoded_is_read,
           labels_are_sorted_joined_and_found, probes_are_joined_with_spaces,
           decoding_and_encoding_again_gives_the_same_bytes,
           bytes_that_are_not_utf8_are_replaced_and_flagged,
           what_does_not_fit_is_left_out_and_flagged, too_small_a_buffer_is_an_error,
           noise_is_survived, codes_have_names, a_record_of_an_older_layout_has_no_cgroup)
