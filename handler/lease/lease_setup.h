/*
 * lease_setup.h - the options of the public face (leasehold.h): checked, copied, and made into those of the parts.
 *
 * Threads: none of its own.
 */
#ifndef LEASE_LEASE_SETUP_H
#define LEASE_LEASE_SETUP_H

#include "identity/storage_account.h"
#include "lease/lease_options.h"
#include "lease/lease_store_blob.h"
#include "lease/leasehold.h"

struct lease_setup {
    struct storage_account account;
    struct lease_options lease;
    struct lease_store_blob_options store;
};

/*
 * To be released, after a failure too.
 * STATUS_INVALID_ARGUMENT   the message names the option and what is allowed
 * STATUS_NO_MEMORY
 */
enum status lease_setup_init(struct lease_setup *setup, const struct leasehold_options *options,
                             struct error *err) MUST_CHECK;
void lease_setup_cleanup(struct lease_setup *setup);

/* STATUS_INVALID_ARGUMENT, as above. */
enum status lease_setup_check_name(const char *name, struct error *err) MUST_CHECK;
enum status lease_setup_check_request(const struct leasehold_request *request,
                                      struct error *err) MUST_CHECK;

#endif
