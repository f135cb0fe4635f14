/*
 * reservation_view.h - a reservation as GetReservation and ExtendReservation show it.
 */
#ifndef FUNCTIONS_RESERVATION_VIEW_H
#define FUNCTIONS_RESERVATION_VIEW_H

#include "base/json.h"

struct reservation_terms;

/* Returns the JSON of an answer about one reservation, or NULL without memory. */
cJSON *reservation_view_new(const char *product_id, const struct reservation_terms *terms,
                            const char *customer_id);

#endif
