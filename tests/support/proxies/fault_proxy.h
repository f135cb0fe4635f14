/*
 * fault_proxy.h - stands between a client and a storage service and does to its requests what the
 * network does on bad days.
 *
 * It listens on 127.0.0.1 and passes whole HTTP/1.1 requests on to another port of this machine,
 * over connections that are kept open, one for each of its clients' own. Path and headers are not
 * touched, so signatures stay good. What befalls a request is told by rules (fault_rules.h), which
 * may be added and cleared from any thread while it runs. A test that needs Blob and Table makes
 * two proxies; azurite_write_connection_string tells handlers of them.
 *
 *     struct fault_proxy *proxy = fault_proxy_new(azurite.blob_port, 1);
 *     int rule = fault_proxy_add(proxy, &(struct fault_rule){.lease_action = "renew", .times = 2,
 *     .kind = FAULT_RESET_AFTER}); ... fault_proxy_await(proxy, rule, 2);
 *
 * Rules        When storage does not answer (it is not there, or ends in the middle), the client's
 *              connection is closed without an answer. Dice are thrown in the order in which
 *              requests arrive; the same seed throws the same. What should not happen to a test (no
 *              socket, no memory, a wait of more than 100 s) ends it with a message on stderr.
 * Threads: any; one accepts, and each connection has one. All are gone when fault_proxy_free
 * returns.
 */
#ifndef SUPPORT_FAULT_PROXY_H
#define SUPPORT_FAULT_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "support/proxies/fault_rules.h"

struct fault_proxy;

struct fault_proxy *fault_proxy_new(int upstream_port, uint64_t seed);

/* Ends every connection, and what hangs or is delayed with them. NULL is fine. */
void fault_proxy_free(struct fault_proxy *proxy);

int fault_proxy_port(const struct fault_proxy *proxy);

/* Adds a rule behind the others; answers its id. */
int fault_proxy_add(struct fault_proxy *proxy, const struct fault_rule *rule);

/* Takes all rules away. What they have done to requests under way stays done. */
void fault_proxy_clear(struct fault_proxy *proxy);

/*
 * Requests that hang go on: those that storage has not seen are passed on now, whether their client
 * is still there or not.
 */
void fault_proxy_let_go(struct fault_proxy *proxy);

/* Closes (FIN) the connections of clients that have no request under way. How many they were. */
int fault_proxy_close_idle(struct fault_proxy *proxy);

/*
 * How often a rule has taken effect, cleared or not, and a wait until that is `count` at least. An
 * "after" rule takes effect when storage has acted; every rule does before the client can notice.
 */
int fault_proxy_applied(struct fault_proxy *proxy, int rule);
void fault_proxy_await(struct fault_proxy *proxy, int rule, int count);

/* The same for all rules of a kind together, and what to call it. */
int fault_proxy_applied_kind(struct fault_proxy *proxy, enum fault_kind kind);
const char *fault_proxy_kind_name(enum fault_kind kind);

/* How many requests have arrived in all. */
size_t fault_proxy_seen(struct fault_proxy *proxy);

/*
 * Copies the requests, oldest first, that a rule with the method, path_contains, query_contains and
 * lease_action of `like` would match, `max` of them at most. How many there are (of the last
 * FAULT_BOOK_REQUESTS of all).
 */
size_t fault_proxy_requests(struct fault_proxy *proxy, const struct fault_rule *like,
                            struct fault_request *out, size_t max);

#endif
