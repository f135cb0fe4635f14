/*
 * request_path.h - what becomes of the path of a request on its way through the host.
 *
 * Vocabulary   canonical   the path as the host understands it, percent-encoded anew
 * Rules        Kestrel decodes a path once and then removes its dot segments, encoded ones (%2e) as
 *              well (its UrlDecoder and PathNormalizer). It leaves %2F as it is, and escapes that
 *              make no UTF-8: their '%' is a character of the path from then on, and YARP encodes
 *              it as %25. %00 is refused.
 */
#ifndef DEVHOST_REQUEST_PATH_H
#define DEVHOST_REQUEST_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/*
 * Appends the canonical form of `path`, which begins with a slash. False: it has %00, and the
 * request is a 400.
 */
bool request_path_canonical(struct strbuf *out, const char *path, size_t length);

/*
 * Appends what the first `length` bytes of a path mean: all is decoded but %2F and what is no
 * UTF-8.
 */
void request_path_decode(struct strbuf *out, const char *path, size_t length);

/* The same for a part of a query, where %2F is decoded as well, and '+' is a space. */
void request_path_decode_query(struct strbuf *out, const char *text, size_t length);

/*
 * Appends the path that the forwarding shape sends: it makes a URL of the decoded path
 * (DefaultHttpWorkerService.GetPathValue), so that %25 is decoded twice, and %23 and %3F cut it
 * off.
 */
void request_path_rebuild(struct strbuf *out, const char *canonical);

/*
 * Appends the path as ASP.NET's PathString writes it: like the canonical one, but a '%' before two
 * hex digits is no %25.
 */
void request_path_component(struct strbuf *out, const char *canonical);

/*
 * Appends a query as .NET's Uri passes it on: letters, digits and -._~ are decoded, escapes of
 * UTF-8 are in upper case, and a '%' that begins no escape becomes %25.
 */
void request_path_proxied_query(struct strbuf *out, const char *query);

#endif
