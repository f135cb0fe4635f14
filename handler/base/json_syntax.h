/*
 * json_syntax.h - whether a text is JSON as json.h promises it, before cJSON sees it.
 *
 * cJSON takes more than JSON (01, 1., control characters, half surrogate pairs, a NUL that cuts the string, text after the value)
 * and does not say why it fails. After this check, it fails only for want of memory.
 */
#ifndef BASE_JSON_SYNTAX_H
#define BASE_JSON_SYNTAX_H

#include <stddef.h>

#include "base/status.h"

/* STATUS_MALFORMED: it is not; the message says what is wrong at which byte (the first is 0). Keys are not compared here. */
enum status json_syntax_check(const char *text, size_t length, struct error *err) MUST_CHECK;

#endif
