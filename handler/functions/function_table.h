/*
 * function_table.h - all functions of the app.
 *
 * To add one, see "Adding a function" in CONTRIBUTING.md. Everything else that must know the
 * functions reads this table: dispatch, the tests, the fuzz targets. The host reads function.json
 * in the folder of the function's name; tests/unit/functions/test_function_table.c holds the
 * folders and the documents to this table.
 *
 * Two functions may have the same route, with different methods. Otherwise no path fits the routes
 * of two functions.
 */
#ifndef FUNCTIONS_FUNCTION_TABLE_H
#define FUNCTIONS_FUNCTION_TABLE_H

#include "functions/function.h"

/*
 * HTTP(name, method, route template, handler) is a function that callers call.
 * TIMER(name, schedule, handler) is one that the host calls by itself.
 */
#define FUNCTION_TABLE(HTTP, TIMER)                                                                \
    HTTP("ReserveInventory", "POST", "inventory/{productId}/reserve", reserve_inventory)           \
    HTTP("ReleaseInventory", "POST", "inventory/{productId}/release", release_inventory)           \
    HTTP("GetInventory", "GET", "inventory/{productId}", get_inventory)                            \
    HTTP("ConfirmReservation", "POST",                                                             \
         "inventory/{productId}/reservations/{reservationId}/confirm", confirm_reservation)        \
    HTTP("ExtendReservation", "POST", "inventory/{productId}/reservations/{reservationId}/extend", \
         extend_reservation)                                                                       \
    HTTP("GetReservation", "GET", "inventory/{productId}/reservations/{reservationId}",            \
         get_reservation)                                                                          \
    HTTP("AdjustInventory", "POST", "inventory/{productId}/adjust", adjust_inventory)              \
    HTTP("Health", "GET", "health", health)                                                        \
    TIMER("ReconcileInventory", "0 */5 * * * *", reconcile_inventory)

/* Each handler is in the file of its name. */
#define FUNCTION_DECLARE_HTTP(name, method, route, handler) \
    extern const struct function_handler handler;
#define FUNCTION_DECLARE_TIMER(name, schedule, handler) \
    extern const struct function_handler handler;
FUNCTION_TABLE(FUNCTION_DECLARE_HTTP, FUNCTION_DECLARE_TIMER)
#undef FUNCTION_DECLARE_HTTP
#undef FUNCTION_DECLARE_TIMER

/* The same as an array, in the same order. The last has no name. */
extern const struct function function_table[];

#endif
