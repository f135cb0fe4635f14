/*
 * ca_bundle.h - finds the file of CA certificates that this system trusts.
 *
 * A libcurl knows one such path from the system that it was built on. The deployed handler brings
 * its own libcurl, and may run on another system. So the usual paths are tried.
 */
#ifndef HTTP_CA_BUNDLE_H
#define HTTP_CA_BUNDLE_H

/*
 * The paths in the order in which they are tried; NULL ends the list.
 * They come from the packages ca-certificates (Debian; Azure Linux and Fedora) and
 * ca-certificates-bundle (Alpine).
 */
extern const char *const ca_bundle_places[];

/* Returns the first of `places` that can be read, borrowed from the list. NULL: none can. */
const char *ca_bundle_find(const char *const places[]);

#endif
