#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/inventory_picture.h"
#include "functions/request_check.h"

static void serve(struct inventory_service *service, const struct function_request *request,
                  struct http_response *response) {
    if (!request_check_product_id(request, response)) {
        return;
    }
    struct product_state state;
    product_state_init(&state);
    int64_t now_ms = 0;
    struct error err = {0};
    enum status status = inventory_service_get(service, request->product_id, &state, &now_ms, &err);
    if (status == STATUS_OK) {
        api_answer_json(response, 200, inventory_picture_json(&state, now_ms), state.product.version);
    } else {
        api_answer_failure(response, status, "Reading", request->product_id, &err);
    }
    product_state_cleanup(&state);
}

const struct function get_inventory_function = {.name = "GetInventory", .method = "GET", .action = "", .serve = serve};
