/*
 * fidelity_compare.h - whether two answers to one request say the same.
 *
 * Compared are the status, the error code, the headers that the product uses, and what the body
 * tells of storage's state: entities without their timestamps and ETags, blobs with metadata and
 * leases, the parts of a transaction. All is written down as text, and the texts are compared.
 */
#ifndef SUPPORT_FIDELITY_COMPARE_H
#define SUPPORT_FIDELITY_COMPARE_H

#include "support/checks/fidelity_sides.h"

enum { FIDELITY_CODE_BYTES = 64 };

/* Writes the error code of an answer, from its header or its body; "" if it has none. */
void fidelity_compare_code(const struct raw_response *answer, char out[FIDELITY_CODE_BYTES]);

/* Appends what an answer says, to be compared as text. */
void fidelity_compare_describe(const struct fidelity_request *request,
                               const struct raw_response *answer, struct strbuf *out);

/* Reads the ETag of part number `index` of a transaction's answer; "" if it has none. */
void fidelity_compare_part_etag(const struct raw_response *answer, size_t index,
                                char out[FIDELITY_ETAG_BYTES]);

#endif
