#include "leasectl/operand.h"

#include "inventory/inventory.h"
#include "settings/setting.h"
#include "settings/setting_rules.h"

enum status operand_check_product(const char *text, struct error *err) {
    if (!inventory_is_product_id(text)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a PRODUCT is " PRODUCT_ID_ALLOWED ": \"%s\"", text);
    }
    return STATUS_OK;
}

enum status operand_read_total(const char *text, int64_t *out, struct error *err) {
    if (!setting_whole_number(text, 0, SEED_MAX_TOTAL, out)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TOTAL is a whole number from 0 to %d: \"%s\"", SEED_MAX_TOTAL, text);
    }
    return STATUS_OK;
}

/* A number without a sign is refused: whoever writes it may mean a new total. */
enum status operand_read_difference(const char *text, int64_t *out, struct error *err) {
    int64_t units = 0;
    if ((text[0] != '+' && text[0] != '-') ||
        !setting_whole_number(text + 1, 1, SEED_MAX_TOTAL, &units)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a difference is +N or -N, and N is a whole number from 1 to %d: \"%s\"",
                         SEED_MAX_TOTAL, text);
    }
    *out = text[0] == '-' ? -units : units;
    return STATUS_OK;
}

enum status operand_read_quantity(const char *text, int64_t *out, struct error *err) {
    if (!setting_whole_number(text, 1, INVENTORY_MAX_QUANTITY, out)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--quantity is a whole number from 1 to %d: \"%s\"",
                         INVENTORY_MAX_QUANTITY, text);
    }
    return STATUS_OK;
}

enum status operand_read_version(const char *text, int64_t *out, struct error *err) {
    if (!setting_whole_number(text, 1, INVENTORY_MAX_TOTAL, out)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--if-version is a product's version, a whole number from 1 on without "
                         "quotes: \"%s\"",
                         text);
    }
    return STATUS_OK;
}

enum status operand_read_reservation(const char *text, char out[UUID_TEXT_BYTES],
                                     struct error *err) {
    if (!uuid_is_valid(text)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a RESERVATION is a UUID, as reservations list shows it: \"%s\"", text);
    }
    uuid_copy_lower_case(text, out);
    return STATUS_OK;
}

enum status operand_check_customer(const char *text, struct error *err) {
    if (!inventory_is_customer_id(text)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--customer is 1 to 128 characters without control characters: \"%s\"",
                         text);
    }
    return STATUS_OK;
}
