/*
 * json.h - strict JSON parsing on top of cJSON, and helpers that readers and writers of JSON share.
 *
 * cJSON alone is lenient. What json_parse accepts is JSON (RFC 8259) in valid UTF-8 with these
 * limits: no NUL (raw or \u0000), nothing after the value, no key twice in one object, nested at
 * most JSON_MAX_DEPTH deep (json_syntax.h), and no number of over 63 characters.
 *
 * A parsed number keeps its text in `valuestring`, since a double would lose digits: it takes
 * 4.99999999999999999999 for 5.
 *
 * Threads      One thread at a time may use a cJSON tree.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

/*
 * Parses `length` bytes. The caller frees `*out` with cJSON_Delete.
 *
 * STATUS_MALFORMED   not such JSON; the message says what is wrong and, where possible, at which
 *                    byte
 * STATUS_NO_MEMORY
 */
enum status json_parse(const char *text, size_t length, cJSON **out, struct error *err) MUST_CHECK;

/*
 * Parses what a caller has sent. It differs from json_parse in two points:
 *   - \u0000 is read as \u0001. It does not end the string, and it is refused wherever control
 *     characters are.
 *   - With `any_case`, keys that differ only in the case of A-Z count as one key, as in .NET's web
 *     defaults. cJSON_GetObjectItem finds such a key.
 */
enum status json_parse_sent(const char *text, size_t length, bool any_case, cJSON **out,
                            struct error *err) MUST_CHECK;

/*
 * Parses a configuration file. As the Functions host and .NET do, it also allows comments, a comma
 * after the last member, a byte order mark, and a key twice in one object, of which the last one
 * counts. (Source: Newtonsoft.Json's JObject.Parse, which reads host.json.)
 */
enum status json_parse_config(const char *text, size_t length, cJSON **out,
                              struct error *err) MUST_CHECK;

/*
 * Returns the string member `key` of `object`, borrowed, or NULL if it is absent or not a string.
 * The case of `key` matters.
 */
const char *json_string(const cJSON *object, const char *key);

/* Wipes every string, then calls cJSON_Delete: for trees that hold secrets. NULL is allowed. */
void json_delete_wiped(cJSON *root);

/*
 * Reads a parsed number that is whole, from its text: 5, 5.0 and 50e-1 are all 5. Returns false if
 * `item` is not a number, not whole, or beyond int64_t.
 */
bool json_whole_number(const cJSON *item, int64_t *out);

/*
 * Reads the member `key` as a whole number, as json_whole_number does. A string of digits, with an
 * optional "-", is also accepted: table storage writes Edm.Int64 so. Returns false for anything
 * else.
 */
bool json_int64(const cJSON *object, const char *key, int64_t *out);

/*
 * Appends `text` as a JSON string with its quotes. U+2028 and U+2029 are escaped, since JavaScript
 * takes them for line ends. Bytes that are not UTF-8 are copied as they are.
 */
void json_append_string(struct strbuf *out, const char *text);

/*
 * Adds a whole number with all its digits; cJSON's own doubles would round it from 2^53 on. Returns
 * false if there is no memory.
 */
bool json_add_int64(cJSON *object, const char *key, int64_t value);

#endif
