/*
 * ca_bundle.h - where this system keeps the certificates of the authorities that it trusts.
 *
 * libcurl is told at its build where to look, but the handler that is deployed runs on systems that it was not built on.
 */
#ifndef HTTP_CA_BUNDLE_H
#define HTTP_CA_BUNDLE_H

/*
 * The places, in the order in which they are tried; ends with NULL: Debian's, Azure Linux's (and Fedora's), Alpine's.
 * (Their packages ca-certificates, ca-certificates and ca-certificates-bundle.)
 */
extern const char *const ca_bundle_places[];

/* The first of `places` (ends with NULL) that can be read, borrowed from it; NULL: none. */
const char *ca_bundle_find(const char *const places[]);

#endif
