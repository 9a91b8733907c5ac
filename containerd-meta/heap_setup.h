// SPDX-License-Identifier: Apache-2.0
// How the C library keeps the heap of this daemon: so that it stays as small after a hundred
// thousand containers as after a thousand. What it does besides, later, is heap_trim's.
#ifndef HEAP_SETUP_H
#define HEAP_SETUP_H

/**
 * heap_setup() - before anything else, with signals blocked and nothing open
 * @argv: as main() has it, untouched
 *
 * What the library reads only when a program begins is set by beginning again: the process executes
 * itself once. Where that can't be the heap is somewhat larger, and nothing else is different.
 */
void heap_setup(char **argv);

#endif
