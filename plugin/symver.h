// SPDX-License-Identifier: Apache-2.0
// Old versions of symbols that newer C libraries renumbered, so that the plugin loads wherever
// Falco runs: GLIBC_2.17 and later. Included by every file that calls one of them.
//
// A sanitizer has functions of its own in their place, which have no versions.
#ifndef PLUGIN_SYMVER_H
#define PLUGIN_SYMVER_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SYMVER_OFF
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SYMVER_OFF
#endif

#if defined(__x86_64__)
#define SYMVER_BASE "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define SYMVER_BASE "GLIBC_2.17"
#endif

#if defined(SYMVER_BASE) && !defined(SYMVER_OFF)
__asm__(".symver pthread_create,pthread_create@" SYMVER_BASE);
__asm__(".symver pthread_join,pthread_join@" SYMVER_BASE);
__asm__(".symver pthread_sigmask,pthread_sigmask@" SYMVER_BASE);
#endif

#endif
