/*
 * fake_storage_steps.h - the steps that tests against a scripted storage have in common: the fake,
 * and a connection to it.
 *
 * Each file that includes it has its own `fake`, `storage` and `err`. The account is called "acct".
 */
#ifndef SUPPORT_FAKE_STORAGE_STEPS_H
#define SUPPORT_FAKE_STORAGE_STEPS_H

#include <stdio.h>

#include "support/fakes/http_fake.h"
#include "support/processes/storage_connection.h"

enum { TIMEOUT_MS = 20000 };

static struct http_fake *fake;
static struct storage_connection storage;
static struct error err;

static inline void open_fake(void) {
    char text[512];
    fake = http_fake_new();
    snprintf(text, sizeof text,
             "AccountName=acct;AccountKey=a2V5;BlobEndpoint=%s/acct;TableEndpoint=%s/acct",
             http_fake_url(fake), http_fake_url(fake));
    storage_connection_open(&storage, text);
}

static inline void close_fake(void) {
    storage_connection_close(&storage);
    http_fake_free(fake);
}

static inline int64_t deadline(void) {
    return storage_connection_deadline(&storage, TIMEOUT_MS);
}

#endif
