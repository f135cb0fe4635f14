/*
 * api_answer.h - answers in the API's shapes: a JSON body with its ETag, or an error as Azure REST APIs write it.
 *
 * The only place where a status becomes an HTTP answer.
 *
 * Rules        Each of these writes the whole answer into a response that has none yet; headers that are there stay.
 *              Whatever memory fails, the answer is a 500, or one that the response remembers as failed and the
 *              server turns into a 500.
 */
#ifndef FUNCTIONS_API_ANSWER_H
#define FUNCTIONS_API_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/json.h"
#include "base/status.h"

/* Status and headers of an answer whose body, JSON, is in the response already. `version` becomes the ETag (0: no ETag). */
void api_answer_head(struct http_response *response, int http_status, int64_t version);

/* `body` (taken, freed; NULL: out of memory) as JSON with `version` as the ETag (0: no ETag). */
void api_answer_json(struct http_response *response, int http_status, cJSON *body, int64_t version);

/* {"error":{"code":CODE,"message":...}} with the status; the message is one line of at most 511 bytes. */
void api_answer_error(struct http_response *response, int http_status, const char *code,
                      const char *format, ...) PRINTF_LIKE(4, 5);

/*
 * The answer to an operation that failed, and the log line with what the client must not see: "OPERATION PRODUCT:
 * message" (Warning; Error for a 500; none for a 404, which is the client's affair).
 * `product_id` may be NULL. The answer goes by `status`; `err` may tell of the failure that led to it.
 *
 * NOT_FOUND            404 ProductNotFound
 * LEASE_LOST           409 LeaseLost
 * UNAVAILABLE, CANCELLED, UNAUTHORIZED, CONTAINER_NOT_FOUND
 *                      503 StorageUnavailable with Retry-After (a misconfigured account is storage that cannot be had)
 * anything else        500 InternalError
 */
void api_answer_failure(struct http_response *response, enum status status, const char *operation,
                        const char *product_id, const struct error *err);

/* The same for what the host asked for itself: the message is the log line, for whoever looks at the host's invocations. */
void api_answer_failure_to_host(struct http_response *response, enum status status,
                                const char *operation, const struct error *err);

/* `body`, or NULL and `body` freed when something could not be added to it: see api_answer_json. */
cJSON *api_answer_body(cJSON *body, bool complete);

#endif
