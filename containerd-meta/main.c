// SPDX-License-Identifier: Apache-2.0
// containerd-meta: watches container engines and publishes what they know in shared memory.
#include "daemon.h"
#include "engine/engine.h"
#include "heap_setup.h"
#include "log.h"

#include "shm/region.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS_MAX 32u

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: containerd-meta [options]\n"
        "\n"
        "Watches container engines and keeps their containers' metadata in shared memory, where\n"
        "the Falco plugin and containerd-meta-ctl read it.\n"
        "\n"
        "  -c, --config FILE          configuration (%s)\n"
        "  -r, --region DIR           folder of the region (%s)\n"
        "  -s, --socket ENGINE=PATH   drive this engine at this socket only; may be repeated;\n"
        "                             replaces the engines of the configuration\n"
        "  -l, --log-level LEVEL      error, warn, notice, info, debug\n"
        "      --check-config         read the configuration, say what is wrong, and end\n"
        "  -V, --version\n"
        "  -h, --help\n"
        "\n"
        "SIGHUP reads the configuration again; one with a mistake changes nothing.\n"
        "Exit status: 0 ended by a signal, 1 could not begin, 2 usage or configuration.\n",
        CONFIG_DEFAULT_PATH, CMETA_DEFAULT_DIR);
}

struct command_line {
    struct daemon_options options;
    const char *names[SOCKETS_MAX], *sockets[SOCKETS_MAX];
    bool check;
};

static bool take_socket(struct command_line *line, char *text)
{
    char *path = strchr(text, '=');

    if (!path || path[1] != '/') {
        fprintf(stderr,
                "--socket %s: expected ENGINE=/ABSOLUTE/PATH, like docker=/run/docker.sock\n",
                text);
        return false;
    }
    *path++ = '\0';
    if (!engine_class_find(text)) {
        fprintf(stderr, "--socket: no engine is called \"%s\"\n", text);
        return false;
    }
    if (line->options.engines_count == SOCKETS_MAX) {
        fprintf(stderr, "--socket: more than %u\n", SOCKETS_MAX);
        return false;
    }
    line->names[line->options.engines_count] = text;
    line->sockets[line->options.engines_count++] = path;
    return true;
}

static bool take_region(struct command_line *line, const char *path)
{
    if (*path != '/') {
        fprintf(stderr, "--region %s: expected an absolute path\n", path);
        return false;
    }
    line->options.region_dir = path;
    return true;
}

static bool take_level(struct command_line *line, const char *name)
{
    line->options.log_level = log_level_from_name(name);
    if (line->options.log_level >= 0)
        return true;
    fprintf(stderr, "--log-level %s: expected error, warn, notice, info or debug\n", name);
    return false;
}

// Return: -1 go on, else the exit status.
static int parse(int argc, char **argv, struct command_line *line)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'}, {"region", required_argument, NULL, 'r'},
        {"socket", required_argument, NULL, 's'}, {"log-level", required_argument, NULL, 'l'},
        {"check-config", no_argument, NULL, 'C'}, {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    bool good = true;
    int option;

    while (good && (option = getopt_long(argc, argv, "c:r:s:l:Vh", longs, NULL)) != -1)
        switch (option) {
        case 'c':
            line->options.config_path = optarg;
            break;
        case 'r':
            good = take_region(line, optarg);
            break;
        case 's':
            good = take_socket(line, optarg);
            break;
        case 'l':
            good = take_level(line, optarg);
            break;
        case 'C':
            line->check = true;
            break;
        case 'V':
            puts("containerd-meta " CMETA_VERSION);
            return 0;
        case 'h':
            usage(stdout);
            return 0;
        default:
            good = false;
        }
    if (good && optind < argc) {
        fprintf(stderr, "unexpected argument: %s\n", argv[optind]);
        good = false;
    }
    if (!good)
        fputs("Try --help.\n", stderr);
    return good ? -1 : 2;
}

int main(int argc, char **argv)
{
    struct command_line line = {.options = {.log_level = -1}};
    struct config config;
    char message[1024];
    int status;

    daemon_block_signals();
    heap_setup(argv);
    line.options.engine_names = line.names;
    line.options.engine_sockets = line.sockets;
    status = parse(argc, argv, &line);
    if (status >= 0)
        return status;
    log_open();
    if (daemon_config(&line.options, &config, message, sizeof(message)) < 0) {
        log_error("%s", message);
        return 2;
    }
    if (line.check) {
        config_done(&config);
        puts("the configuration is good");
        return 0;
    }
    return daemon_run(&line.options, &config) < 0 ? 1 : 0;
}
