/*
 * json_syntax.h - checks that a text is JSON as json.h promises it, before cJSON reads it.
 *
 * cJSON accepts more than JSON: 01, 1., control characters, half surrogate pairs, a NUL that cuts
 * the string, and text after the value. It also does not say why it fails. After this check it can
 * fail only for want of memory.
 */
#ifndef BASE_JSON_SYNTAX_H
#define BASE_JSON_SYNTAX_H

#include <stddef.h>

#include "base/status.h"

enum { JSON_MAX_DEPTH = 32, JSON_MAX_NUMBER_LENGTH = 63 };

/*
 * Checks `length` bytes, all but the keys, which are compared only after parsing.
 *
 * STATUS_MALFORMED   not such JSON; the message says what is wrong at which byte (the first is 0)
 */
enum status json_syntax_check(const char *text, size_t length, struct error *err) MUST_CHECK;

#endif
