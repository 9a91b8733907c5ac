// SPDX-License-Identifier: Apache-2.0
// Records to test with, and a writer in a temporary folder.
#ifndef SAMPLE_RECORD_H
#define SAMPLE_RECORD_H

#include "shm/writer.h"

// The n-th sample's full ID: 64 hexadecimal digits that differ in the first twelve.
void sample_id(unsigned n, char id[65]);

/**
 * sample_content() - the content of sample n, at version v; static strings, everything known
 */
void sample_content(unsigned n, unsigned v, struct cmeta_container *content);

// The sample's bytes. Return: their number.
int sample_record(unsigned n, unsigned v, void *buffer, size_t size);

// A name for the sample; `id` is filled and must outlive it.
struct cmeta_name sample_name(unsigned n, char id[65]);

// Puts sample n at version v, running, with a PID of its own.
int sample_put(struct cmeta_writer *writer, unsigned n, unsigned v);

// A published writer in a folder; aborts without success.
struct cmeta_writer *sample_writer(const char *dir, const struct cmeta_writer_options *options);

#endif
