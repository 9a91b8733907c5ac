// SPDX-License-Identifier: Apache-2.0
// stdin, stdout and stderr for jansson's static archive.
//
// Debian builds that archive for programs: it addresses the three as data that a shared library
// cannot refer to in this way. The linker is told to --wrap them, which turns each reference into
// one to the hidden definitions below. No function that uses them is ever called: the plugin reads
// no JSON from a stream and prints none.
#include <stdio.h>

extern FILE *__wrap_stdin, *__wrap_stdout, *__wrap_stderr;
__attribute__((visibility("hidden"))) FILE *__wrap_stdin, *__wrap_stdout, *__wrap_stderr;
