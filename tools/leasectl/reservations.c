#include "leasectl/reservations.h"

#include <stdio.h>
#include <string.h>

#include "functions/reservation_view.h"
#include "inventory/inventory.h"
#include "leasectl/change.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum status reservations_print(const struct output *output, const cJSON *rows, struct error *err) {
    static const struct table_column columns[] = {
        {"reservationId", "RESERVATION", false}, {"customerId", "CUSTOMER", false},
        {"quantity", "QUANTITY", true},          {"reservedAt", "RESERVED AT", false},
        {"expiresAt", "EXPIRES AT", false},
    };
    return output_rows(output, columns, COUNT(columns), rows, err);
}

/* ---- list ---- */

/* Returns NULL if there is no memory. The snapshot may have rows of other customers, too. */
static cJSON *list_active(const struct inventory_snapshot *snapshot) {
    const struct reservation_list *reservations = &snapshot->state.reservations;
    cJSON *rows = cJSON_CreateArray();
    bool complete = rows != NULL;
    for (size_t i = 0; i < reservations->count && complete; i++) {
        const struct reservation *row = reservations->rows[i];
        bool is_wanted =
            snapshot->customer_id == NULL || strcmp(row->customer_id, snapshot->customer_id) == 0;
        if (is_wanted && row->expires_ms > snapshot->now_ms) {
            struct reservation_terms terms = inventory_terms(row);
            complete = cJSON_AddItemToArray(
                rows, reservation_view_new(snapshot->product_id, &terms, row->customer_id));
        }
    }
    if (!complete) {
        cJSON_Delete(rows);
        return NULL;
    }
    return rows;
}

enum status reservations_list(struct services *services, const struct output *output,
                              const char *product_id, const char *customer_id, struct error *err) {
    struct inventory_snapshot snapshot = {.kind = customer_id == NULL ? SNAPSHOT_ALL
                                                                      : SNAPSHOT_CUSTOMER,
                                          .product_id = product_id,
                                          .customer_id = customer_id};
    enum status status = inventory_service_wait_for_snapshot(&services->inventory, &snapshot, err);
    if (status == STATUS_OK) {
        cJSON *rows = list_active(&snapshot);
        status = rows == NULL ? output_text(NULL, err) : reservations_print(output, rows, err);
        cJSON_Delete(rows);
    }
    product_state_cleanup(&snapshot.state);
    return change_explain_not_found(status, product_id, err);
}

/* ---- confirm, release ---- */

/* Says why the rules have refused to change a reservation. */
static enum status explain_refusal(const struct inventory_request *request, struct error *err) {
    if (request->refusal == REFUSAL_QUANTITY_TOO_LARGE) {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "reservation %s holds %lld units, fewer than %lld",
                         request->reservation_id, (long long)request->reservation.quantity,
                         (long long)request->quantity);
    }
    if (request->refusal == REFUSAL_EXPIRED) {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "reservation %s has expired, or was released or confirmed before",
                         request->reservation_id);
    }
    return error_set(err, STATUS_NOT_FOUND, "product %s has no active reservation %s",
                     request->product_id, request->reservation_id);
}

/* A repeat is no failure, but whoever meant to change the reservation twice must learn of it. */
static enum status run_change(struct services *services, struct inventory_request *request,
                              struct error *err) {
    enum status status = change_run(services, request, err);
    if (status == STATUS_OK && request->refusal != REFUSAL_NONE) {
        status = explain_refusal(request, err);
    }
    if (status == STATUS_OK && request->is_repeat) {
        fputs("leasectl: the same was done before; nothing has changed now, and this is the result "
              "of then\n",
              stderr);
    }
    return status;
}

/* Returns NULL if there is no memory. */
static cJSON *new_row(const struct inventory_request *request) {
    bool confirms = request->operation == &operation_confirm;
    cJSON *row = cJSON_CreateObject();
    bool complete =
        cJSON_AddStringToObject(row, "productId", request->product_id) != NULL &&
        cJSON_AddStringToObject(row, "reservationId", request->reservation_id) != NULL &&
        json_add_int64(row, confirms ? "confirmedQuantity" : "releasedQuantity", request->units) &&
        (!confirms || (json_add_int64(row, "remainingQuantity", request->remaining) &&
                       json_add_int64(row, "totalQuantity", request->total))) &&
        json_add_int64(row, "availableQuantity", request->available) &&
        json_add_int64(row, "version", request->version);
    if (!complete) {
        cJSON_Delete(row);
        return NULL;
    }
    return row;
}

enum status reservations_confirm(struct services *services, const struct output *output,
                                 const char *product_id, const char *reservation_id,
                                 int64_t quantity, struct error *err) {
    static const struct table_column columns[] = {
        {"productId", "PRODUCT", false},
        {"reservationId", "RESERVATION", false},
        {"confirmedQuantity", "CONFIRMED", true},
        {"remainingQuantity", "REMAINING", true},
        {"totalQuantity", "TOTAL", true},
        {"availableQuantity", "AVAILABLE", true},
        {"version", "VERSION", true},
    };
    struct inventory_request request = {.operation = &operation_confirm,
                                        .product_id = product_id,
                                        .reservation_id = reservation_id,
                                        .quantity = quantity};
    enum status status = run_change(services, &request, err);
    if (status != STATUS_OK) {
        return status;
    }
    cJSON *row = new_row(&request);
    status = output_row(output, columns, COUNT(columns), row, err);
    cJSON_Delete(row);
    return status;
}

/* A release has to name the customer, which never changes. */
static enum status find_customer(struct services *services, struct inventory_request *request,
                                 char out[CUSTOMER_ID_BYTES], struct error *err) {
    struct inventory_snapshot snapshot = {.kind = SNAPSHOT_RESERVATION,
                                          .product_id = request->product_id,
                                          .reservation_id = request->reservation_id};
    enum status status = inventory_service_wait_for_snapshot(&services->inventory, &snapshot, err);
    if (status == STATUS_OK) {
        const struct reservation *row = inventory_find_named(
            &snapshot.state, request->reservation_id, NULL, snapshot.now_ms, &request->refusal);
        if (row == NULL) {
            status = explain_refusal(request, err);
        } else {
            snprintf(out, CUSTOMER_ID_BYTES, "%s", row->customer_id);
        }
    } else {
        status = change_explain_not_found(status, request->product_id, err);
    }
    product_state_cleanup(&snapshot.state);
    return status;
}

enum status reservations_release(struct services *services, const struct output *output,
                                 const char *product_id, const char *reservation_id,
                                 int64_t quantity, struct error *err) {
    static const struct table_column columns[] = {
        {"productId", "PRODUCT", false},        {"reservationId", "RESERVATION", false},
        {"releasedQuantity", "RELEASED", true}, {"availableQuantity", "AVAILABLE", true},
        {"version", "VERSION", true},
    };
    char customer_id[CUSTOMER_ID_BYTES];
    struct inventory_request request = {.operation = &operation_release,
                                        .product_id = product_id,
                                        .customer_id = customer_id,
                                        .reservation_id = reservation_id,
                                        .quantity =
                                            quantity == 0 ? INVENTORY_MAX_QUANTITY : quantity};
    enum status status = find_customer(services, &request, customer_id, err);
    if (status == STATUS_OK) {
        status = run_change(services, &request, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    cJSON *row = new_row(&request);
    status = output_row(output, columns, COUNT(columns), row, err);
    cJSON_Delete(row);
    return status;
}
