/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * GDCM is what decodes JPEG 2000 for Orthanc; DCMTK, in Orthanc itself, does the rest. Debian's GDCM has its assertions compiled in: a
 * header with a value where it expects none ends the whole process. And its codecs for JPEG, JPEG-LS and RLE overrun their buffers
 * on ordinary images. This library, which is preloaded, has those codecs and the JPEG 2000 encoder refuse all work, which Orthanc answers
 * as a conversion that is not there, and has an assertion that fails within GDCM end the call, not the process. What the call had
 * allocated is lost.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* bool gdcm::…Codec::CanCode(const TransferSyntax &) const, and CanDecode */
#define REFUSE(function) \
    bool function(const void *codec, const void *transfer_syntax) \
    { \
        (void)codec; \
        (void)transfer_syntax; \
        return false; \
    }

REFUSE(_ZNK4gdcm9JPEGCodec7CanCodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm9JPEGCodec9CanDecodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm9PVRGCodec7CanCodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm9PVRGCodec9CanDecodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm11JPEGLSCodec7CanCodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm11JPEGLSCodec9CanDecodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm8RLECodec7CanCodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm8RLECodec9CanDecodeERKNS_14TransferSyntaxE)
REFUSE(_ZNK4gdcm13JPEG2000Codec7CanCodeERKNS_14TransferSyntaxE)

/* Where this thread returns to if an assertion fails; NULL outside GDCM. */
static __thread jmp_buf *way_out;

static void leave(jmp_buf **unused)
{
    (void)unused;
    way_out = NULL;
}

static bool guarded(const char *function, void *self, char *buffer)
{
    void *library = dlopen("libgdcmMSFF.so.3.0", RTLD_LAZY | RTLD_NOLOAD);
    bool (*original)(void *, char *) = library ? (bool (*)(void *, char *))dlsym(library, function) : NULL;
    jmp_buf here;

    if (!original)
        return false;
    if (way_out)
        return original(self, buffer);
    /* GDCM's exceptions pass through here on their way to Orthanc's plugin: -fexceptions. */
    __attribute__((cleanup(leave))) jmp_buf *entered = &here;
    if (setjmp(here))
        return false;
    way_out = entered;
    return original(self, buffer);
}

/* All that Orthanc's plugin calls for an image: bool function(), and Bitmap::GetBuffer(char *). */
#define GUARD(function) \
    bool function(void *self, char *buffer) { return guarded(#function, self, buffer); }

GUARD(_ZN4gdcm11ImageReader4ReadEv)
GUARD(_ZN4gdcm11ImageWriter5WriteEv)
GUARD(_ZN4gdcm18FileExplicitFilter6ChangeEv)
GUARD(_ZN4gdcm21ImageApplyLookupTable5ApplyEv)
GUARD(_ZN4gdcm25ImageChangeTransferSyntax6ChangeEv)
GUARD(_ZN4gdcm30ImageChangePlanarConfiguration6ChangeEv)
GUARD(_ZN4gdcm36ImageChangePhotometricInterpretation6ChangeEv)
GUARD(_ZNK4gdcm6Bitmap9GetBufferEPc)

void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function)
{
    fprintf(stderr, "Assertion failed: %s, %s:%u, %s\n", assertion, file, line, function);
    if (way_out)
        longjmp(*way_out, 1);
    abort();
}
