#include "functions/function.h"

#include <string.h>

const char *function_request_param(const struct function_request *request, const char *name) {
    char param[ROUTE_NAME_BYTES];
    for (size_t i = 0; route_template_param(request->route, i, param); i++) {
        if (strcmp(param, name) == 0) {
            return request->params[i];
        }
    }
    return "";
}
