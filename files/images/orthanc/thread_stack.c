/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libcivetweb gives each of its HTTP threads a stack of 100 KB. A DICOM file whose sequences are nested 50 levels deep (PS3.5 section
 * 7.5 sets no limit) is parsed recursively and overruns it, before Orthanc can answer that there are "too many levels of nested
 * sequences". This library, which is preloaded, gives every thread room for 10,000 levels and more. A stack takes memory only
 * where it is used.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static const size_t smallest = 64UL << 20;

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size)
{
    static int (*original)(pthread_attr_t *, size_t);

    if (!original)
        original = (int (*)(pthread_attr_t *, size_t))dlsym(RTLD_NEXT, "pthread_attr_setstacksize");
    return original(attributes, size < smallest ? smallest : size);
}

/* Threads that ask for no size, such as those that receive DICOM, take the default. */
__attribute__((constructor)) static void set_default(void)
{
    pthread_attr_t attributes;

    if (pthread_attr_init(&attributes))
        return;
    if (!pthread_attr_setstacksize(&attributes, smallest))
        pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}
