/*
 * instance_pair.h - two handlers on one storage account, for tests of what they do to each other.
 *
 * Two handlers without a host, `holder` and `other`, on an Azurite of their own, and an operator: a
 * storage connection that is none of theirs.
 *
 * Vocabulary   call in hand   a request that was sent and is not answered yet. It is a connection,
 *              and needs no thread.
 * Rules        The products are app.h's: PROD-001=100;PROD-002=50;PROD-003=200.
 *              What should not happen to a test fails it, with the log of the handler concerned.
 * Threads: one test's.
 */
#ifndef SUPPORT_INSTANCE_PAIR_H
#define SUPPORT_INSTANCE_PAIR_H

#include <stddef.h>
#include <stdint.h>

#include "support/calls/raw_http.h"
#include "support/processes/app.h"
#include "support/processes/azurite.h"
#include "support/processes/storage_connection.h"

enum { INSTANCE_PATIENCE_MS = 20000 };

struct instance_pair {
    struct azurite azurite;
    struct storage_connection operator;
    struct app holder;
    struct app other;
};

extern struct instance_pair instance_pair;

/* A checked fixture. The handlers are each test's to start. */
void instance_set_up(void);
void instance_tear_down(void);

/* Starts a handler and waits until it serves and its store is ready. `settings` as in app.h. */
void instance_start(struct app *app, const char *const *settings);

/* Waits until the log has `text`, from byte `from` on. Answers the length of the log by then. */
size_t instance_wait_for_log(struct app *app, size_t from, const char *text, int64_t timeout_ms);

/* The number of log lines, from byte `from` on, that have `text` in whatever case. */
int instance_count_in_log(const struct app *app, size_t from, const char *text);

/* No line of the log would be a warning or an error to the host. */
void instance_assert_calm(const struct app *app);

/* Ends it with SIGTERM, and checks that it ended well. */
void instance_stop(struct app *app);

/* Sends a reservation; answers the call in hand. */
int instance_send_reserve(const struct app *app, const char *product_id, int quantity);

/* Reads the answer of a call in hand and ends the call. To be released (raw_response_cleanup). */
struct raw_response instance_answer(int call);

/* The same, checked: its status, and a text in its body. */
void instance_expect_answer(int call, int status, const char *text);

/* Sends and waits. */
void instance_expect_reserve(const struct app *app, const char *product_id, int quantity,
                             int status, const char *text);

/* What GetInventory says to be available, checked to add up to the total. */
int instance_available(const struct app *app, const char *product_id);

/*
 * Starts the holder and brings it into the ProcessingTime of a reservation of PROD-001, under a
 * lease. Answers the call in hand.
 */
int instance_hold(const char *const *settings, int quantity);

/*
 * The other instance has asked for that lease in vain, and goes on asking. Answers the call in
 * hand.
 */
int instance_wait_behind(int quantity);

/*
 * Of the requests that storage has answered since `mark` (azurite.h), those whose line has `text`.
 */
int instance_count_requests(size_t mark, const char *text);

/* Waits until there are `count` such requests. */
void instance_wait_for_requests(size_t mark, const char *text, int count, int64_t timeout_ms);

/*
 * The operator ends the lease of a product at once, or asks whether it is free (and then takes it).
 */
void instance_break_lease(const char *product_id);
bool instance_lease_is_free(const char *product_id);

/* The container of the leases goes away, with all that is in it. */
void instance_delete_lease_container(void);

#endif
