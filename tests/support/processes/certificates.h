/*
 * certificates.h - certificates and keys made for one test, as PEM files: a storage server's, good
 * and bad, and an app's own.
 *
 * Rules        Nothing is kept: each run has keys of its own. Servers have P-256 keys, the app RSA
 *              (Entra ID signs it in by RS256). What should not happen to a test (OpenSSL refuses,
 *              no room) fails it.
 */
#ifndef SUPPORT_CERTIFICATES_H
#define SUPPORT_CERTIFICATES_H

#include "support/processes/temp_folder.h"

enum { CERTIFICATE_PATH_BYTES = 96 };

struct certificate_files {
    char certificate[CERTIFICATE_PATH_BYTES];
    char key[CERTIFICATE_PATH_BYTES];
};

struct certificates {
    struct temp_folder folder;
    char ca
        /* the authority's own certificate: what SSL_CERT_FILE is to name */
        [CERTIFICATE_PATH_BYTES];
    struct certificate_files
        server; /* for localhost, storage.test and 127.0.0.1, by the authority */
    struct certificate_files expired;  /* the same, over since yesterday */
    struct certificate_files stranger; /* by the authority, for storage.example.com alone */
    struct certificate_files
        /* for localhost and 127.0.0.1, by an authority of the same name that nobody trusts */
        impostor;
    char app[CERTIFICATE_PATH_BYTES]; /* a service principal's key and certificate in one file */
};

void certificates_make(struct certificates *certificates);

/* Removes the files. */
void certificates_remove(const struct certificates *certificates);

#endif
