/*
 * api_answer.h - answers in the API's shapes: a JSON body with its ETag, or an error as Azure REST
 * APIs write it. A status becomes an HTTP answer here and nowhere else.
 *
 * Rules   Each function writes the whole answer into a response that has none yet, and keeps the
 *         headers that are there. Without memory the answer is a 500, or the response remembers the
 *         failure, and the server makes it a 500.
 */
#ifndef FUNCTIONS_API_ANSWER_H
#define FUNCTIONS_API_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/json.h"
#include "base/status.h"

/*
 * Sets status and headers of an answer whose JSON body is in the response already. `version`
 * becomes the ETag; 0 makes none.
 */
void api_answer_head(struct http_response *response, int http_status, int64_t version);

/*
 * Answers with `body`, which is freed; NULL means out of memory. `version` as in api_answer_head.
 */
void api_answer_json(struct http_response *response, int http_status, cJSON *body, int64_t version);

/* Answers {"error":{"code":CODE,"message":...}}. The message is one line of at most 511 bytes. */
void api_answer_error(struct http_response *response, int http_status, const char *code,
                      const char *format, ...) PRINTF_LIKE(4, 5);

/* The same about a product: `version` becomes the ETag, as in api_answer_head. */
void api_answer_error_of(struct http_response *response, int http_status, int64_t version,
                         const char *code, const char *format, ...) PRINTF_LIKE(5, 6);

/*
 * Answers that an operation failed, by its `status`. Logs what callers must not see: "OPERATION
 * PRODUCT: message". The line is a Warning, or an Error for a 500 and a missing container. A 404
 * and a 422 are the caller's affair, and not logged. `product_id` may be NULL. `err` may be about
 * an earlier failure that led to this one.
 *
 * NOT_FOUND            404 ProductNotFound
 * KEY_REUSED           422 IdempotencyKeyReused
 * LEASE_LOST           409 LeaseLost
 * UNAVAILABLE, CANCELLED, UNAUTHORIZED, CONTAINER_NOT_FOUND
 *                      503 StorageUnavailable with Retry-After. An account that is set up wrongly
 *                      looks to callers like storage that cannot be reached.
 * anything else        500 InternalError
 */
void api_answer_failure(struct http_response *response, enum status status, const char *operation,
                        const char *product_id, const struct error *err);

/*
 * The same for a timer's function. The message is the log line, which the host shows to operators.
 */
void api_answer_failure_to_host(struct http_response *response, enum status status,
                                const char *operation, const struct error *err);

/*
 * Returns `body` if it is complete. Otherwise frees it and returns NULL. For bodies to which each
 * addition may fail for want of memory.
 */
cJSON *api_answer_body(cJSON *body, bool complete);

#endif
