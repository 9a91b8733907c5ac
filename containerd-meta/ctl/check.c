// SPDX-License-Identifier: Apache-2.0
// check: looks for what is amiss, from the engines' sockets to Falco, and says what to do.
#include "check.h"

#include "containerd-meta/cleanup.h"
#include "ctl.h"
#include "output.h"
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const level_names[CHECK_LEVEL_COUNT] = {"ok", "note", "warning", "problem"};

void check_add(struct checks *checks, enum check_level level, const char *code, const char *about,
               char *text, const char *remedy)
{
    json_t *finding = json_object();

    json_object_set_new(finding, "level", json_string(level_names[level]));
    json_object_set_new(finding, "code", json_string(code));
    json_object_set_new(finding, "about", json_text(str_of(about)));
    json_object_set_new(finding, "text", json_text(str_of(text)));
    json_object_set_new(finding, "remedy", remedy ? json_text(str_of(remedy)) : json_null());
    json_array_append_new(checks->findings, finding);
    checks->levels[level]++;
    free(text);
}

static void print_member(const char *format, const json_t *finding, const char *key)
{
    CLEANUP(freep)
    char *shown = text_printable(str_of(json_string_value(json_object_get(finding, key))));

    printf(format, shown);
}

static void print_text(const struct checks *checks)
{
    const json_t *finding;
    size_t index;

    json_array_foreach (checks->findings, index, finding) {
        print_member("%-8s ", finding, "level");
        print_member("%s: ", finding, "about");
        print_member("%s", finding, "text");
        print_member(" [%s]\n", finding, "code");
        if (!json_is_null(json_object_get(finding, "remedy")))
            print_member("         -> %s\n", finding, "remedy");
    }
    printf("problems: %u, warnings: %u\n", checks->levels[CHECK_PROBLEM],
           checks->levels[CHECK_WARNING]);
}

static void print_json(const struct checks *checks, enum ctl_format format)
{
    struct json_stream stream = {.format = format};
    json_t *finding;
    size_t index;

    json_array_foreach (checks->findings, index, finding)
        json_stream_value(&stream, json_incref(finding));
    json_stream_end(&stream);
}

static enum ctl_exit exit_of(const struct checks *checks, int region)
{
    if (region != 0)
        return session_exit(region);
    return checks->levels[CHECK_PROBLEM]   ? CTL_PROBLEM
           : checks->levels[CHECK_WARNING] ? CTL_WARNING
                                           : CTL_OK;
}

static enum ctl_exit check_run(const struct ctl_options *options)
{
    struct cmeta_region region = {0};
    struct checks checks = {.findings = json_array(), .dir = options->dir};
    const char *proc = getenv("CONTAINERD_META_PROC");
    int r = cmeta_region_map(options->dir, &region);

    checks.region = r == 0 ? &region : NULL;
    checks.proc = proc && *proc ? proc : "/proc";
    if (r != 0)
        check_add(&checks, CHECK_PROBLEM, r == -ENOENT ? "no-region" : "region-refused", "region",
                  session_refusal(options->dir, r), NULL);
    check_region(&checks);
    check_engines(&checks);
    check_falco(&checks);
    if (options->format == CTL_TABLE)
        print_text(&checks);
    else
        print_json(&checks, options->format);
    json_decref(checks.findings);
    cmeta_region_unmap(&region);
    return exit_of(&checks, r);
}

const struct ctl_verb ctl_check = {
    .name = "check",
    .arguments = "",
    .summary = "Looks for what is amiss, from the engines to Falco, and says what to do",
    .help = "Run it as root: other users may not look into Falco's and the daemon's namespaces.\n"
            "The code in brackets is explained in checks.md. $CONTAINERD_META_PROC names another\n"
            "/proc, such as that of the host.\n",
    .options = "",
    .args_max = 0,
    .run = check_run,
};
