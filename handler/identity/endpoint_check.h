/*
 * endpoint_check.h - finds common mistakes in storage addresses before the first request fails.
 *
 * An unknown address is no mistake: accounts have custom domains, private links and proxies.
 */
#ifndef IDENTITY_ENDPOINT_CHECK_H
#define IDENTITY_ENDPOINT_CHECK_H

enum { ENDPOINT_SHOWN_BYTES = 160 };

/*
 * Returns what is wrong with `address` as the endpoint of `service` ("blob" or "table"), or NULL.
 * The text is static and continues a sentence: "it is the address of tables, not of blobs".
 */
const char *endpoint_check_mistake(const char *address, const char *service);

/*
 * Writes the part of an address that messages may show: everything before its query. Of an address
 * with user info nothing is shown.
 */
void endpoint_check_show(const char *address, char out[ENDPOINT_SHOWN_BYTES]);

#endif
