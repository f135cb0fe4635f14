/*
 * endpoint_check.h - mistakes that people make with the addresses of storage, recognised before the first request fails.
 *
 * An address that is merely unknown is no mistake: accounts have custom domains, private links and proxies.
 */
#ifndef IDENTITY_ENDPOINT_CHECK_H
#define IDENTITY_ENDPOINT_CHECK_H

enum { ENDPOINT_SHOWN_BYTES = 160 };

/*
 * What is wrong with `address` as the endpoint of `service` ("blob" or "table"); NULL: nothing that is known. Static, a sentence's
 * end: "it is the address of tables, not of blobs".
 */
const char *endpoint_check_mistake(const char *address, const char *service);

/* The part of an address that may be shown: up to its query, and nothing of one with user info. */
void endpoint_check_show(const char *address, char out[ENDPOINT_SHOWN_BYTES]);

#endif
