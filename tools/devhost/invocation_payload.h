/*
 * invocation_payload.h - the JSON in which the host describes an invocation to a custom handler,
 * and the handler's answer.
 *
 * Source: Microsoft Learn, "Azure Functions custom handlers", Request payload and Response payload;
 * the members of Data.req are those of Azure/azure-functions-host,
 * HttpRequestExtensions.GetRequestAsJObject.
 *
 * Text that is not valid UTF-8 is passed on with U+FFFD in place of what is not, as .NET decodes
 * it.
 */
#ifndef DEVHOST_INVOCATION_PAYLOAD_H
#define DEVHOST_INVOCATION_PAYLOAD_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/strbuf.h"
#include "devhost/host_config.h"
#include "devhost/route.h"
#include "devhost/timer_status.h"

/* What every invocation says of itself. */
struct invocation_sys {
    const char *id; /* a uuid */
    int64_t now_ms; /* wall clock */
};

/* Appends the payload of an HTTP trigger; `host` is what the caller calls us ("localhost:7071"). */
void invocation_payload_http(struct strbuf *out, const struct host_function *function,
                             const struct http_request *request, const char *host,
                             const struct route_values *params, const struct invocation_sys *sys);

/*
 * Appends the payload of a timer, with times in local time and with its offset. A timer that never
 * ran has the Last of .NET's DateTime.MinValue. ScheduleStatus is null where the schedule is not
 * monitored.
 */
void invocation_payload_timer(struct strbuf *out, const struct host_function *function,
                              const struct timer_status *status, bool is_past_due,
                              const struct invocation_sys *sys);

/*
 * Parses the handler's answer. `*out` is the caller's, to be freed with cJSON_Delete.
 *
 * STATUS_MALFORMED   not a JSON object
 * STATUS_NO_MEMORY
 */
enum status invocation_payload_parse(const char *text, size_t length, cJSON **out,
                                     struct error *err) MUST_CHECK;

/*
 * Parts of an answer, borrowed: the text of log line `index` (NULL past the last), and the
 * ReturnValue (NULL: none).
 */
const char *invocation_payload_log(const cJSON *answer, int index);
const cJSON *invocation_payload_return_value(const cJSON *answer);

/*
 * Makes the output binding `output_name` of an answer the caller's response: statusCode (200 if
 * none), headers, body (a string as it is; anything else as JSON). STATUS_MALFORMED: it cannot be
 * one; `response` may be half filled.
 */
enum status invocation_payload_response(const cJSON *answer, const char *output_name,
                                        struct http_response *response,
                                        struct error *err) MUST_CHECK;

#endif
