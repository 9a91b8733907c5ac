// SPDX-License-Identifier: Apache-2.0
// From libvirt's status files, recorded and hand-made, to containers.
#include "containerd-meta/cleanup.h"
#include "containerd-meta/engine/libvirt_domain.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct container_limits limits = {.label_max_len = 200};

static struct container *container_of(const struct libvirt_domain *domain)
{
    struct container *container = container_new("lxc-7-web", 9, "libvirt-lxc");

    libvirt_domain_apply(domain, container, &limits);
    ck_assert(!container_failed(container));
    return container;
}

// A running domain with this in it.
static struct container *map(const char *inside)
{
    char text[4096];
    struct libvirt_domain *domain;
    struct container *container;

    snprintf(text, sizeof(text),
             "<domstatus state='running' pid='7'><init pid='8'/>"
             "<domain type='lxc'><name>web</name>%s</domain></domstatus>",
             inside);
    ck_assert_int_eq(libvirt_domain_read(text, strlen(text), &domain), 0);
    container = container_of(domain);
    libvirt_domain_free(domain);
    return container;
}

static int refused(const char *text)
{
    struct libvirt_domain *domain = NULL;
    int r = libvirt_domain_read(text, strlen(text), &domain);

    if (r < 0)
        ck_assert_ptr_null(domain);
    libvirt_domain_free(domain);
    return r;
}

static void expect_mounts(const struct container *container, const char *mounts)
{
    CLEANUP(freep)
    char *found = answer_mounts(container);

    ck_assert_str_eq(found, mounts);
}

START_TEST(a_recorded_domain_has_its_properties)
{
    size_t len;
    CLEANUP(freep)
    char *text = answer_bytes("libvirt/status.xml", &len);
    struct libvirt_domain *domain;
    struct container *container;

    ck_assert_int_eq(libvirt_domain_read(text, len, &domain), 0);
    ck_assert_str_eq(libvirt_domain_name(domain), "vlab1");
    ck_assert_int_eq(libvirt_domain_init(domain), 18935);
    ck_assert_int_eq(libvirt_domain_controller(domain), 18925);
    ck_assert_uint_eq(libvirt_domain_state(domain), CMETA_STATE_RUNNING);
    ck_assert(libvirt_domain_has_host_network(domain));
    container = container_of(domain);
    ck_assert_uint_eq(container->content.type, CMETA_TYPE_LIBVIRT_LXC);
    ck_assert_uint_eq(container->content.known, CMETA_GROUPS_ALL);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_NAME), "vlab1");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_USER), "0");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE), "");
    ck_assert_uint_eq(container->content.flags, CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK);
    ck_assert_int_eq(container->content.memory_limit, 64 << 20);
    expect_mounts(container, "/srv/vlab1/bin:/hostbin:ro:false:");
    ck_assert_uint_eq(container->content.labels_count, 2);
    ck_assert_str_eq(answer_label(container, "libvirt.rootfs"), "/srv/vlab1/rootfs");
    ck_assert_str_eq(answer_label(container, "libvirt.uuid"),
                     "11111111-2222-3333-4444-555555555555");
    container_free(container);
    libvirt_domain_free(domain);
}
END_TEST

START_TEST(states_are_told)
{
    static const struct {
        const char *text;
        uint32_t state;
    } cases[] = {{"state='paused'", CMETA_STATE_PAUSED},
                 {"state='running'", CMETA_STATE_RUNNING},
                 {"state='shutdown'", CMETA_STATE_RUNNING},
                 {"state='shutoff'", CMETA_STATE_EXITED},
                 {"", CMETA_STATE_RUNNING}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        struct libvirt_domain *domain;

        snprintf(text, sizeof(text), "<domstatus %s><domain type='lxc'/></domstatus>",
                 cases[i].text);
        ck_assert_int_eq(libvirt_domain_read(text, strlen(text), &domain), 0);
        ck_assert_uint_eq(libvirt_domain_state(domain), cases[i].state);
        ck_assert_str_eq(libvirt_domain_name(domain), "");
        ck_assert_int_eq(libvirt_domain_init(domain), 0);
        libvirt_domain_free(domain);
    }
}
END_TEST

START_TEST(security_is_what_the_domain_says)
{
    static const struct {
        const char *inside;
        uint32_t flags;
        const char *user;
    } cases[] = {
        {"", CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK, "0"},
        {"<features><privnet/></features>", CMETA_FLAG_PRIVILEGED, "0"},
        {"<devices><interface type='network'/></devices>", CMETA_FLAG_PRIVILEGED, "0"},
        {"<devices><hostdev mode='capabilities' type='net'/></devices>", CMETA_FLAG_PRIVILEGED,
         "0"},
        {"<idmap><uid start='0' target='1000' count='10'/></idmap><features><privnet/></features>",
         0, "0"},
        {"<os><inituser>nobody</inituser></os><features><privnet/></features>",
         CMETA_FLAG_PRIVILEGED, "nobody"},
        {"<lxc:namespace><lxc:sharenet type='name' value='other'/></lxc:namespace>",
         CMETA_FLAG_PRIVILEGED, "0"},
        {"<lxc:namespace><lxc:sharenet type='pid' value='1'/></lxc:namespace>",
         CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK, "0"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct container *container = map(cases[i].inside);

        ck_assert_msg(container->content.flags == cases[i].flags, "%s", cases[i].inside);
        ck_assert_str_eq(answer_text(container, CMETA_STRING_USER), cases[i].user);
        ck_assert(answer_knows(container, CMETA_GROUP_SECURITY));
        container_free(container);
    }
}
END_TEST

START_TEST(mounts_are_those_of_the_host)
{
    struct container *container = map(
        "<devices><filesystem type='ram'><source usage='1024'/><target dir='/tmp'/></filesystem>"
        "<filesystem type='bind'><source dir='/in/it'/><target dir='/b'/></filesystem>"
        "<filesystem type='file'><source file='/a b&amp;c.img'/><target dir='/f'/></filesystem>"
        "<filesystem type='block'><source dev='/dev/sdb'/><target dir='/d'/></filesystem>"
        "<filesystem type='mount'><source dir='/no/target'/></filesystem>"
        "<filesystem><source dir='/default'/><target dir='/e'/></filesystem></devices>");

    expect_mounts(container, "/a b&c.img:/f::true:,/dev/sdb:/d::true:,/default:/e::true:");
    container_free(container);
}
END_TEST

START_TEST(limits_have_units)
{
    static const struct {
        const char *inside;
        int64_t memory;
    } cases[] = {{"<memory unit='MiB'>64</memory>", 64 << 20},
                 {"<memory>64</memory>", 64 << 10},
                 {"<memory unit='GB'>1</memory>", 1000000000},
                 {"<memory unit='bytes'>4096</memory>", 4096},
                 {"<memory unit='MiB'>64</memory>"
                  "<memtune><hard_limit unit='KiB'>1024</hard_limit></memtune>",
                  1 << 20},
                 {"<memory unit='KiB'>9007199254740991</memory>", 0},
                 {"<memory unit='EiB'>9999999999999</memory>", 0},
                 {"<memory unit='furlongs'>64</memory>", 0},
                 {"<memory>-5</memory>", 0},
                 {"<memory>lots</memory>", 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct container *container = map(cases[i].inside);

        ck_assert_msg(container->content.memory_limit == cases[i].memory, "%s: %lld",
                      cases[i].inside, (long long)container->content.memory_limit);
        ck_assert(answer_knows(container, CMETA_GROUP_LIMITS));
        container_free(container);
    }
}
END_TEST

START_TEST(cpu_limits_are_told)
{
    struct container *container =
        map("<vcpu cpuset='0-2'>2</vcpu><cputune><shares>700</shares><period>50000</period>"
            "<quota>25000</quota></cputune>");

    ck_assert_int_eq(container->content.cpu_shares, 700);
    ck_assert_int_eq(container->content.cpu_period, 50000);
    ck_assert_int_eq(container->content.cpu_quota, 25000);
    ck_assert_int_eq(container->content.cpuset_cpu_count, 3);
    container_free(container);
}
END_TEST

START_TEST(addresses_of_the_domain_are_told_and_others_stay_unknown)
{
    struct container *container = map("<devices><interface type='bridge'>"
                                      "<ip address='10.0.3.5' family='ipv4' prefix='24'/>"
                                      "</interface></devices>");

    ck_assert_str_eq(answer_text(container, CMETA_STRING_IP), "10.0.3.5");
    ck_assert(answer_knows(container, CMETA_GROUP_NETWORK));
    container_free(container);
    container = map("<devices><interface type='network'/></devices>");
    ck_assert(!answer_knows(container, CMETA_GROUP_NETWORK));
    container_free(container);
    container = map("<features><privnet/></features>");
    ck_assert(answer_knows(container, CMETA_GROUP_NETWORK));
    container_free(container);
}
END_TEST

START_TEST(what_is_no_domain_is_refused)
{
    ck_assert_int_eq(refused(""), -EBADMSG);
    ck_assert_int_eq(refused("no xml"), -EBADMSG);
    ck_assert_int_eq(refused("<domstatus><domain type='lxc'>"), -EBADMSG);
    ck_assert_int_eq(refused("<domstatus/>"), -EBADMSG);
    ck_assert_int_eq(refused("<domain type='qemu'><name>vm</name></domain>"), -EBADMSG);
    ck_assert_int_eq(refused("<a><name>web</name></a><domain type='lxc'/>"), -EBADMSG);
    ck_assert_int_eq(refused("<domain type='lxc'><name>\xff\xfe</name></domain>"), -EBADMSG);
}
END_TEST

START_TEST(no_entity_leads_anywhere)
{
    ck_assert_int_eq(refused("<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
                             "<domain type='lxc'><name>&a;</name></domain>"),
                     -EBADMSG);
    ck_assert_int_eq(refused("<!DOCTYPE domain [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>"
                             "<domain type='lxc'><name>&b;</name></domain>"),
                     -EBADMSG);
}
END_TEST

START_TEST(depth_and_length_cost_themselves_only)
{
    size_t size = 400000, len = 0;
    CLEANUP(freep)
    char *text = malloc(size);
    struct libvirt_domain *domain;

    len += (size_t)sprintf(text + len, "<domain type='lxc'><metadata>");
    for (int i = 0; i < 5000; i++)
        len += (size_t)sprintf(text + len, "<name>");
    for (int i = 0; i < 5000; i++)
        len += (size_t)sprintf(text + len, "</name>");
    len += (size_t)sprintf(text + len, "</metadata><uuid>");
    memset(text + len, 'u', 100000);
    len += 100000;
    len += (size_t)sprintf(text + len, "</uuid><name>a\nb \xc3\xa9 &lt;&quot;</name></domain>");
    ck_assert_uint_lt(len, size);
    ck_assert_int_eq(libvirt_domain_read(text, len, &domain), 0);
    ck_assert_str_eq(libvirt_domain_name(domain), "a\nb \xc3\xa9 <\"");
    libvirt_domain_free(domain);
}
END_TEST

// Cut anywhere, it is refused and nothing is touched that isn't its own (under a sanitizer).
START_TEST(a_file_that_is_cut_off_is_refused)
{
    size_t len;
    CLEANUP(freep)
    char *text = answer_bytes("libvirt/status.xml", &len);
    const char *end = strstr(text, "</domstatus>");

    for (size_t cut = 0; cut < (size_t)(end - text); cut += 7) {
        CLEANUP(freep)
        char *part = malloc(cut + 1);
        struct libvirt_domain *domain;

        memcpy(part, text, cut);
        ck_assert_int_eq(libvirt_domain_read(part, cut, &domain), -EBADMSG);
    }
}
END_TEST

CHECK_MAIN("libvirt_domain", 30, a_recorded_domain_has_its_properties, states_are_told,
           security_is_what_the_domain_says, mounts_are_those_of_the_host, limits_have_units,
           cpu_limits_are_told, addresses_of_the_domain_are_told_and_others_stay_unknown,
           what_is_no_domain_is_refused, no_entity_leads_anywhere,
           depth_and_length_cost_themselves_only, a_file_that_is_cut_off_is_refused)
