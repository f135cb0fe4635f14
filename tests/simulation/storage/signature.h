/*
 * signature.h - the check of a request's Shared Key signature.
 *
 * Written from "Authorize with Shared Key", apart from the product's own code: so a mistake in what
 * is signed shows.
 */
#ifndef SIMULATION_STORAGE_SIGNATURE_H
#define SIMULATION_STORAGE_SIGNATURE_H

#include <stdint.h>

#include "base/crypto.h"
#include "base/strbuf.h"
#include "simulation/storage/simulated_request.h"

/* Zeroed at first. */
struct signature_check {
    struct crypto_hmac hmac;
    struct strbuf text; /* what is signed; kept for its memory */
    struct strbuf expected;
};

enum status signature_check_init(struct signature_check *check, const void *key,
                                 size_t key_length) MUST_CHECK;
void signature_check_cleanup(struct signature_check *check);

/* Whether the request names the account, is signed with its key, and is at most 15 minutes off. */
bool signature_is_valid(struct signature_check *check, const char *account, bool is_table,
                        const struct simulated_request *request, int64_t wall_ms);

#endif
