#include "leasectl/change.h"

enum status change_explain_not_found(enum status status, const char *product_id,
                                     struct error *err) {
    return status == STATUS_NOT_FOUND ? error_set(err, status, "there is no product %s", product_id)
                                      : status;
}

enum status change_run(struct services *services, struct inventory_request *request,
                       struct error *err) {
    enum status status = inventory_service_run(&services->inventory, request, err);
    if (status == STATUS_LEASE_CONFLICT) {
        return error_set(err, status,
                         "product %s is busy: no lease within AcquireTimeout; try again",
                         request->product_id);
    }
    return change_explain_not_found(status, request->product_id, err);
}
