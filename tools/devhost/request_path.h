/*
 * request_path.h - what becomes of the path of a request on its way through the host.
 *
 * Vocabulary   canonical   the path as the host understands it, still percent-encoded: what is encoded without need is decoded,
 *                          what needs it is encoded, and dot segments are gone
 * Rules        Kestrel decodes a path once and then removes its dot segments, encoded ones (%2e) as well (its UrlDecoder and
 *              PathNormalizer). %2F stays as it is, and so do escapes that make no UTF-8. %00 is refused.
 * Layer: devhost. May include base/.
 */
#ifndef DEVHOST_REQUEST_PATH_H
#define DEVHOST_REQUEST_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* Appends the canonical form of `path`, which begins with a slash. False: it has %00, and the request is a 400. */
bool request_path_canonical(struct strbuf *out, const char *path, size_t length);

/* Appends what the first `length` bytes of a path mean: all is decoded but %2F and what is no UTF-8. */
void request_path_decode(struct strbuf *out, const char *path, size_t length);

/*
 * Appends the path that the forwarding shape sends: it makes a URL of the decoded path (DefaultHttpWorkerService.GetPathValue),
 * so that %25 is decoded twice, and %23 and %3F cut it off.
 */
void request_path_rebuild(struct strbuf *out, const char *canonical);

#endif
