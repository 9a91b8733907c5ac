// SPDX-License-Identifier: Apache-2.0
// Loads and stores of what other processes write or read at the same time.
//
// Relaxed loads make the compiler read once: a value that was checked is the value that is used.
// Which acquire pairs with which release is said where each is used.
#ifndef CMETA_LOAD_H
#define CMETA_LOAD_H

#include <stdint.h>

#define load_relaxed(pointer)         __atomic_load_n((pointer), __ATOMIC_RELAXED)
#define load_acquire(pointer)         __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
#define store_relaxed(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELAXED)
#define store_release(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELEASE)
#define fence_acquire()               __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define fence_release()               __atomic_thread_fence(__ATOMIC_RELEASE)

#endif
