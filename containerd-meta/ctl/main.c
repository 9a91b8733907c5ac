// SPDX-License-Identifier: Apache-2.0
// containerd-meta-ctl: options, verbs, exit codes.
#include "ctl.h"
#include "shm/region.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "containerd-meta-ctl"

static const struct ctl_verb *const verbs[] = {
    &ctl_ps,      &ctl_inspect, &ctl_why,   &ctl_events,
    &ctl_engines, &ctl_stats,   &ctl_check, &ctl_version,
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const char common_options[] =
    "  -o, --output FORMAT  table (default), json (one array or object) or jsonl (a line each)\n"
    "  -r, --region DIR     folder of the region; default $CONTAINERD_META_REGION, else\n"
    "                       " CMETA_DEFAULT_DIR "\n"
    "  -h, --help           this text\n";

static const char exit_codes[] =
    "Exit codes:\n"
    "  0  done\n"
    "  1  no such container, no such process\n"
    "  2  wrong command line\n"
    "  3  no region: no daemon has run since boot (systemctl start containerd-meta)\n"
    "  4  ambiguous: several containers answer to it; they are listed\n"
    "  5  the region can't be used; the message says why and what to do\n"
    "  6  the answer couldn't be written, or there is no memory\n"
    "  7  check found a problem\n"
    "  8  check found a warning, and no problem\n"
    "\n"
    "When the daemon isn't running, what the region says is shown all the same, and a line on\n"
    "stderr says since when it hasn't moved.\n";

static void print_help(void)
{
    printf("usage: " PROGRAM " VERB [OPTION…] [ARGUMENT…]\n\n"
           "Shows what containerd-meta knows of this host's containers.\n\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
    printf("\nOptions of all verbs (`" PROGRAM " VERB --help` tells the others):\n%s\n%s",
           common_options, exit_codes);
}

static void print_verb_help(const struct ctl_verb *verb)
{
    printf("usage: " PROGRAM " %s [OPTION…]%s%s\n\n%s.\n\nOptions:\n%s%s%s\n%s", verb->name,
           *verb->arguments ? " " : "", verb->arguments, verb->summary, common_options,
           *verb->help ? "\n" : "", verb->help, exit_codes);
}

static enum ctl_exit usage(const struct ctl_verb *verb, const char *problem, const char *what)
{
    fprintf(stderr, PROGRAM ": %s%s; see `" PROGRAM "%s%s --help`\n", problem, what,
            verb ? " " : "", verb ? verb->name : "");
    return CTL_USAGE;
}

static enum ctl_exit unknown_verb(const char *name)
{
    fprintf(stderr, PROGRAM ": unknown verb \"%s\"; there are:", name);
    for (size_t i = 0; i < VERBS; i++)
        fprintf(stderr, " %s", verbs[i]->name);
    fputc('\n', stderr);
    return CTL_USAGE;
}

static const struct ctl_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(name, verbs[i]->name) == 0)
            return verbs[i];
    return NULL;
}

static bool parse_format(const char *text, enum ctl_format *format)
{
    static const char *const names[] = {
        [CTL_TABLE] = "table", [CTL_JSON] = "json", [CTL_JSONL] = "jsonl"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) {
            *format = (enum ctl_format)i;
            return true;
        }
    return false;
}

static bool parse_count(const char *text, uint64_t *count)
{
    char *end;

    errno = 0;
    *count = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *count > 0;
}

enum { OPTION_NO_TRUNC = 't', OPTION_VERSION = 'V' };

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"region", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"all", no_argument, NULL, 'a'},
    {"quiet", no_argument, NULL, 'q'},
    {"count", required_argument, NULL, 'n'},
    {"no-trunc", no_argument, NULL, OPTION_NO_TRUNC},
    {"verbose", no_argument, NULL, 'v'},
    {"help-text", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

// What the options ask for instead of the verb's work.
struct asked {
    bool help, version;
};

static enum ctl_exit take_option(int letter, const struct ctl_verb *verb,
                                 struct ctl_options *options, struct asked *asked)
{
    const char name[] = {'-', (char)letter, '\0'};

    switch (letter) {
    case 'o':
        return parse_format(optarg, &options->format)
                   ? CTL_OK
                   : usage(verb, "-o takes table, json or jsonl, not ", optarg);
    case 'r':
        options->dir = optarg;
        return CTL_OK;
    case 'h':
        asked->help = true;
        return CTL_OK;
    default:
        break;
    }
    if (!verb && letter == OPTION_VERSION) {
        asked->version = true;
        return CTL_OK;
    }
    if (!verb || !strchr(verb->options, letter))
        return usage(verb, verb ? "this verb doesn't take " : "goes behind the verb: ",
                     letter == OPTION_NO_TRUNC ? "--no-trunc" : name);
    switch (letter) {
    case 'a':
        options->all = true;
        break;
    case 'q':
        options->quiet = true;
        break;
    case 'v':
        options->verbose = true;
        break;
    case OPTION_NO_TRUNC:
        options->no_trunc = true;
        break;
    default:
        if (!parse_count(optarg, &options->count))
            return usage(verb, "--count takes a number above 0, not ", optarg);
        break;
    }
    return CTL_OK;
}

// The options of argv, up to the verb if there is none yet; afterwards optind is where they end.
static enum ctl_exit parse(int argc, char **argv, const struct ctl_verb *verb,
                           struct ctl_options *options, struct asked *asked)
{
    enum ctl_exit exit = CTL_OK;
    int letter;

    optind = 0; // begin anew
    opterr = 0;
    while (exit == CTL_OK && (letter = getopt_long(argc, argv, verb ? ":o:r:haqvn:" : "+:o:r:hV",
                                                   long_options, NULL)) != -1) {
        const char name[] = {'-', (char)optopt, '\0'};

        if (letter == ':')
            exit = usage(verb, "a value is missing after ", argv[optind - 1]);
        else if (letter == '?')
            exit = usage(verb, "unknown option ", optopt ? name : argv[optind - 1]);
        else
            exit = take_option(letter, verb, options, asked);
    }
    return exit;
}

static enum ctl_exit run_verb(const struct ctl_verb *verb, int argc, char **argv,
                              struct ctl_options *options)
{
    struct asked asked = {0};
    enum ctl_exit exit = parse(argc, argv, verb, options, &asked);

    if (exit != CTL_OK)
        return exit;
    if (asked.help) {
        print_verb_help(verb);
        return CTL_OK;
    }
    options->args = argv + optind;
    options->args_count = argc - optind;
    if (options->args_count < verb->args_min)
        return usage(verb, "missing: ", verb->arguments);
    if (options->args_count > verb->args_max)
        return usage(verb, "one argument too many: ", options->args[verb->args_max]);
    return verb->run(options);
}

static enum ctl_exit run(int argc, char **argv)
{
    const char *dir = getenv("CONTAINERD_META_REGION");
    struct ctl_options options = {.dir = dir && *dir ? dir : CMETA_DEFAULT_DIR};
    const struct ctl_verb *verb;
    struct asked asked = {0};
    enum ctl_exit exit = parse(argc, argv, NULL, &options, &asked);
    int first = optind;

    if (exit != CTL_OK)
        return exit;
    if (asked.help || (first < argc && strcmp(argv[first], "help") == 0)) {
        print_help();
        return CTL_OK;
    }
    if (asked.version)
        return ctl_version.run(&options);
    if (first == argc)
        return usage(NULL, "a verb is missing", "");
    verb = find_verb(argv[first]);
    return verb ? run_verb(verb, argc - first, argv + first, &options) : unknown_verb(argv[first]);
}

int main(int argc, char **argv)
{
    enum ctl_exit exit;

    setlocale(LC_ALL, "");
    exit = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, PROGRAM ": cannot write: %s\n", strerror(errno));
        return CTL_FAILED;
    }
    return (int)exit;
}
