/*
 * az_stub.h - the Azure CLI, for tests: a script named az, in a folder of its own, that answers
 * what a test says.
 *
 * Source       "az account get-access-token": JSON on stdout with accessToken, expiresOn (local
 *              time), expires_on (epoch), subscription, tenant, tokenType; a message on stderr and
 *              another exit code than 0 when nobody is signed in.
 */
#ifndef SUPPORT_AZ_STUB_H
#define SUPPORT_AZ_STUB_H

#include <stdint.h>

#include "support/processes/temp_folder.h"

struct az_stub {
    struct temp_folder folder;
    char path[4096]; /* "PATH=...": for the program that is to find it */
};

/* Nobody is signed in at first. */
void az_stub_make(struct az_stub *stub);
void az_stub_remove(const struct az_stub *stub);

/* From now on it answers with this token; */
void az_stub_answer(const struct az_stub *stub, const char *token, int64_t lifetime_s);
/* does what these lines of shell say; */
void az_stub_do(const struct az_stub *stub, const char *script);
/* or never comes to an end. */
void az_stub_hang(const struct az_stub *stub);

/* The calls so far, each one line of arguments; the caller's (free). */
char *az_stub_calls(const struct az_stub *stub);

#endif
