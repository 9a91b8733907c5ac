// SPDX-License-Identifier: Apache-2.0
// plugin-host: loads a plugin as Falco would, over the live processes of this machine.
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/host/host.h"
#include "tests/host/output.h"
#include "tests/host/scripts.h"

enum exit_code { EXIT_OK = 0, EXIT_VIOLATION = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

#define FIELDS_MAX 64

struct options {
    char plugin[PATH_MAX];
    const char *config, *script, *region;
    char *fields_text;
    const char *fields[FIELDS_MAX];
    size_t n_fields;
    int64_t *pids;
    size_t n_pids;
    enum { SELECT_DEFAULT, SELECT_ALL, SELECT_CONTAINERS } select;
    bool json, list, quiet;
    unsigned wait_s, api_minor;
};

static const char default_fields[] = "container.id,container.name,container.image,"
                                     "container.privileged,container.labels,container.mounts";

static void help(void)
{
    puts(
        "Usage: plugin-host [options] [PID...]\n"
        "\n"
        "Loads a Falco plugin, opens a live capture over the processes of this machine and prints\n"
        "the values of fields for each selected process.\n"
        "\n"
        "  --plugin SO          the plugin (default: libcontainer.so beside this program)\n"
        "  --config JSON        its init_config\n"
        "  --region DIR         the folder of the region: key `region` of the configuration\n"
        "  --fields A,B[,C]     fields, also with an argument: container.label[app]\n"
        "  --pid PID            a process; repeatable, as PIDs without an option\n"
        "  --all                all processes\n"
        "  --containers         processes with a container.id other than host (default)\n"
        "  -o, --output FORMAT  table (default) or json\n"
        "  --wait-name SECONDS  wait so long for container.name of each process that is printed\n"
        "  --list               print name, version, capabilities and fields; make no instance\n"
        "  --script NAME        run a call script over synthetic threads instead:");
    for (const struct script *s = scripts_all(); s->name; s++)
        printf("                         %-17s %s\n", s->name, s->what);
    puts("                         all               all of them\n"
         "  -q, --quiet          don't print the plugin's log lines\n"
         "  -h, --help\n"
         "\n"
         "Log lines of the plugin and breaches of its contract go to standard error.\n"
         "Exit: 0 all well; 1 the plugin broke the contract; 2 usage, or output failed; 3 the\n"
         "plugin was refused, or refused.");
}

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "plugin-host: %s%s%s (see --help)\n", what, which ? " " : "",
            which ? which : "");
    return EXIT_USAGE;
}

static bool add_pid(struct options *o, const char *text)
{
    char *end;
    errno = 0;
    long long pid = strtoll(text, &end, 10);
    if (errno || *end || end == text || pid <= 0)
        return false;
    o->pids = host_realloc(o->pids, (o->n_pids + 1) * sizeof(*o->pids));
    o->pids[o->n_pids++] = pid;
    return true;
}

// Splits at commas that aren't within brackets.
static bool split_fields(struct options *o, const char *text)
{
    free(o->fields_text);
    o->fields_text = host_strdup(text);
    o->n_fields = 0;
    char *field = o->fields_text;
    int depth = 0;
    for (char *c = field;; c++) {
        depth += *c == '[' ? 1 : *c == ']' ? -1 : 0;
        if (*c && (*c != ',' || depth > 0))
            continue;
        bool last = !*c;
        *c = 0;
        if (!*field || o->n_fields == FIELDS_MAX)
            return false;
        o->fields[o->n_fields++] = field;
        field = c + 1;
        if (last)
            return true;
    }
}

enum {
    OPT_PLUGIN = 256,
    OPT_CONFIG,
    OPT_REGION,
    OPT_FIELDS,
    OPT_PID,
    OPT_ALL,
    OPT_CONTAINERS,
    OPT_WAIT,
    OPT_API,
    OPT_LIST,
    OPT_SCRIPT
};

static const struct option long_options[] = {
    {"plugin", required_argument, NULL, OPT_PLUGIN},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"region", required_argument, NULL, OPT_REGION},
    {"fields", required_argument, NULL, OPT_FIELDS},
    {"pid", required_argument, NULL, OPT_PID},
    {"all", no_argument, NULL, OPT_ALL},
    {"containers", no_argument, NULL, OPT_CONTAINERS},
    {"output", required_argument, NULL, 'o'},
    {"wait-name", required_argument, NULL, OPT_WAIT},
    {"api", required_argument, NULL, OPT_API},
    {"list", no_argument, NULL, OPT_LIST},
    {"script", required_argument, NULL, OPT_SCRIPT},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int take_option(struct options *o, int c, const char *arg)
{
    char *end;
    switch (c) {
    case OPT_PLUGIN:
        snprintf(o->plugin, sizeof(o->plugin), "%s%s", strchr(arg, '/') ? "" : "./", arg);
        return EXIT_OK;
    case OPT_CONFIG:
        o->config = arg;
        return EXIT_OK;
    case OPT_REGION:
        o->region = arg;
        return EXIT_OK;
    case OPT_FIELDS:
        return split_fields(o, arg) ? EXIT_OK : usage("no list of fields:", arg);
    case OPT_PID:
        return add_pid(o, arg) ? EXIT_OK : usage("no PID:", arg);
    case OPT_ALL:
    case OPT_CONTAINERS:
        o->select = c == OPT_ALL ? SELECT_ALL : SELECT_CONTAINERS;
        return EXIT_OK;
    case 'o':
        o->json = strcmp(arg, "json") == 0;
        return o->json || strcmp(arg, "table") == 0 ? EXIT_OK : usage("no output format:", arg);
    case OPT_WAIT:
        o->wait_s = (unsigned)strtoul(arg, &end, 10);
        return *end || end == arg ? usage("no number of seconds:", arg) : EXIT_OK;
    case OPT_API:
        o->api_minor = (unsigned)strtoul(arg, &end, 10);
        return *end || end == arg ? usage("no minor version:", arg) : EXIT_OK;
    case OPT_LIST:
        o->list = true;
        return EXIT_OK;
    case OPT_SCRIPT:
        o->script = arg;
        return EXIT_OK;
    case 'q':
        o->quiet = true;
        return EXIT_OK;
    default:
        return EXIT_USAGE;
    }
}

static void default_plugin(struct options *o)
{
    char self[PATH_MAX] = ".";
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0)
        self[n] = 0;
    snprintf(o->plugin, sizeof(o->plugin), "%.4000s/libcontainer.so", dirname(self));
}

// The configuration with the region merged in; NULL when it isn't an object. To be freed.
static char *merged_config(const struct options *o)
{
    if (!o->region)
        return host_strdup(o->config ? o->config : "");
    json_t *all = json_loads(o->config && *o->config ? o->config : "{}", 0, NULL);
    if (!json_is_object(all)) {
        json_decref(all);
        return NULL;
    }
    json_object_set_new(all, "region", json_string(o->region));
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

static void print_log(void *userdata, enum falco_severity severity, const char *component,
                      const char *msg)
{
    (void)userdata;
    fprintf(stderr, "%s: %s: %s\n", report_severity_name(severity), component, msg);
}

static int verdict(struct report *r, int otherwise)
{
    for (size_t i = 0; i < report_texts(r); i++)
        fprintf(stderr, "violation: %s\n", report_text(r, i));
    return report_violations(r) ? EXIT_VIOLATION : otherwise;
}

// --- the three jobs ------------------------------------------------------------------------------

static int run_list(struct host *h, const struct options *o)
{
    if (host_load_only(h, o->plugin)) {
        fprintf(stderr, "plugin-host: refused: %s\n", host_refusal(h));
        return verdict(host_report(h), EXIT_REFUSED);
    }
    const struct plugin *p = host_plugin(h);
    char capabilities[128];
    plugin_capability_names(p, capabilities, sizeof(capabilities));
    printf("name: %s\nversion: %s\ndescription: %s\ncontact: %s\nrequired API: %u.%u.%u\n"
           "capabilities: %s\nfields: %zu\n",
           p->name, p->version, p->description, p->contact, p->required.major, p->required.minor,
           p->required.patch, capabilities, p->n_fields);
    for (size_t i = 0; i < p->n_fields; i++)
        printf("  %-7s %s%s%s\n", p->fields[i].type_name, p->fields[i].name,
               p->fields[i].arg_key || p->fields[i].arg_index
                   ? p->fields[i].arg_required ? "[argument]" : "[argument?]"
                   : "",
               p->fields[i].is_list ? " list" : "");
    return verdict(host_report(h), EXIT_OK);
}

static int run_scripts(struct host *h, const struct options *o, const char *config)
{
    int code = EXIT_OK;
    bool found = false;
    for (const struct script *s = scripts_all(); s->name; s++) {
        char why[FALCO_ERROR_BYTES] = "";
        if (strcmp(o->script, s->name) != 0 && strcmp(o->script, "all") != 0)
            continue;
        found = true;
        int rc = script_run(s->name, o->plugin, config, host_report(h), why, sizeof(why));
        printf("%-17s %s%s%s\n", s->name,
               rc == 0  ? "ok"
               : rc > 0 ? "violations"
                        : "refused: ",
               rc < 0 ? why : "", "");
        if (rc < 0)
            code = EXIT_REFUSED;
    }
    return found ? verdict(host_report(h), code) : usage("no such script:", o->script);
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Until the process has a container.name, or the time is over. The plugin's own events wake us.
static void wait_for_name(struct host *h, int64_t tid, uint64_t until_ms)
{
    if (!plugin_field(host_plugin(h), "container.name", NULL))
        return;
    while (!host_text_of(h, tid, "container.name") && monotonic_ms() < until_ms)
        host_pump_wait(h, 20);
}

static bool in_container(struct host *h, int64_t tid)
{
    const char *id = host_text_of(h, tid, "container.id");
    return id && *id && strcmp(id, "host") != 0;
}

static int print_process(struct host *h, const struct options *o, struct output *out, int64_t tid,
                         uint64_t until_ms)
{
    struct host_value values[FIELDS_MAX] = {{.present = false}};
    int rc = 0;
    wait_for_name(h, tid, until_ms);
    host_event(h, event_any((uint64_t)tid, 0));
    for (size_t i = 0; i < o->n_fields && rc == 0; i++) {
        rc = host_extract(h, o->fields[i], NULL, &values[i]);
        if (rc != 0)
            usage(rc == -ENOENT ? "the plugin has no field" : "wrong argument:", o->fields[i]);
    }
    const char *comm = host_thread_text(h, tid, "comm");
    if (rc == 0)
        output_row(out, tid, comm ? comm : "?", values);
    for (size_t i = 0; i < o->n_fields; i++)
        host_value_clear(&values[i]);
    return rc;
}

static int compare_pids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// All processes, when none was named.
static void select_processes(struct host *h, struct options *o)
{
    const struct threads *ts = host_instance(h)->threads;
    if (o->n_pids)
        return;
    o->pids = host_alloc(threads_count(ts) * sizeof(*o->pids));
    for (size_t i = 0; i < threads_count(ts); i++) {
        const struct thread *t = threads_at(ts, i);
        if (t->tid == thread_int(t, THREAD_PID))
            o->pids[o->n_pids++] = t->tid;
    }
    if (o->select == SELECT_DEFAULT)
        o->select = SELECT_CONTAINERS;
    qsort(o->pids, o->n_pids, sizeof(*o->pids), compare_pids);
}

static int print_processes(struct host *h, struct options *o)
{
    uint64_t until = monotonic_ms() + (uint64_t)o->wait_s * 1000;
    struct output *out = output_new(o->json, o->fields, o->n_fields);
    int rc = 0;
    host_pump(h);
    select_processes(h, o);
    for (size_t i = 0; i < o->n_pids && rc == 0; i++) {
        if (!threads_find(host_instance(h)->threads, o->pids[i]))
            fprintf(stderr, "plugin-host: there is no process %lld\n", (long long)o->pids[i]);
        else if (o->select != SELECT_CONTAINERS || in_container(h, o->pids[i]))
            rc = print_process(h, o, out, o->pids[i], until);
    }
    int printed = output_end(out, stdout);
    return rc || printed ? EXIT_USAGE : EXIT_OK;
}

static int run_live(struct host *h, struct options *o, const char *config)
{
    int code = EXIT_REFUSED;
    if (host_load(h, o->plugin, config) == 0) {
        host_scan_proc(h);
        if (host_open_live(h) == 0) {
            if (!host_integrates(h))
                fputs("plugin-host: container_id or the table containers is missing: libsinsp "
                      "would not integrate\n",
                      stderr);
            code = print_processes(h, o);
        }
    }
    if (*host_refusal(h))
        fprintf(stderr, "plugin-host: refused: %s\n", host_refusal(h));
    host_destroy(h);
    return verdict(host_report(h), code);
}

static int run(struct options *o)
{
    char *config = merged_config(o);
    if (!config)
        return usage("with --region the configuration must be a JSON object", NULL);
    struct host *h = host_new();
    host_set_api(h, o->api_minor);
    if (!o->quiet)
        host_set_printer(h, print_log, NULL);
    int code = o->list     ? run_list(h, o)
               : o->script ? run_scripts(h, o, config)
                           : run_live(h, o, config);
    host_free(h);
    free(config);
    return code;
}

int main(int argc, char **argv)
{
    struct options o = {.select = SELECT_DEFAULT, .api_minor = HOST_API_MINOR};
    int c, code = EXIT_OK;
    default_plugin(&o);
    split_fields(&o, default_fields);
    while (code == EXIT_OK && (c = getopt_long(argc, argv, "o:qh", long_options, NULL)) != -1) {
        if (c == 'h') {
            help();
            goto out;
        }
        code = take_option(&o, c, optarg);
    }
    for (; code == EXIT_OK && optind < argc; optind++)
        if (!add_pid(&o, argv[optind]))
            code = usage("no PID:", argv[optind]);
    if (code == EXIT_OK)
        code = run(&o);
out:
    free(o.fields_text);
    free(o.pids);
    return code;
}
