/*
 * operand.h - checks the values that an operator writes: on the command line, or in a file.
 *
 * Each function returns STATUS_INVALID_ARGUMENT, with a message that says what is allowed, if the
 * text is not; outputs are untouched then.
 */
#ifndef LEASECTL_OPERAND_H
#define LEASECTL_OPERAND_H

#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

/* A product's id. */
enum status operand_check_product(const char *text, struct error *err) MUST_CHECK;

/* A total: 0 to SEED_MAX_TOTAL. */
enum status operand_read_total(const char *text, int64_t *out, struct error *err) MUST_CHECK;

/* A difference with its sign: -SEED_MAX_TOTAL to +SEED_MAX_TOTAL, but not 0. */
enum status operand_read_difference(const char *text, int64_t *out, struct error *err) MUST_CHECK;

/* Units of a reservation: 1 to INVENTORY_MAX_QUANTITY. */
enum status operand_read_quantity(const char *text, int64_t *out, struct error *err) MUST_CHECK;

/* A product's version: 1 or more. */
enum status operand_read_version(const char *text, int64_t *out, struct error *err) MUST_CHECK;

/* A reservation's id, in either case. It is copied in lower case. */
enum status operand_read_reservation(const char *text, char out[UUID_TEXT_BYTES],
                                     struct error *err) MUST_CHECK;

/* A customer's id. */
enum status operand_check_customer(const char *text, struct error *err) MUST_CHECK;

#endif
