/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Debian's Orthanc answers HTTPS through libcivetweb1, which opens "libssl.so" at run time and looks up
 * SSL_get_peer_certificate. OpenSSL 3 made that name a macro and exports SSL_get1_peer_certificate only, so the
 * look-up gives NULL and the first HTTPS request calls it: a crash (exit 139).
 * This library is found first under the name "libssl.so", has the missing function, and is linked to the real one.
 */
typedef struct ssl_st SSL;
typedef struct x509_st X509;

extern X509 *SSL_get1_peer_certificate(const SSL *ssl);

X509 *SSL_get_peer_certificate(const SSL *ssl)
{
    return SSL_get1_peer_certificate(ssl);
}
