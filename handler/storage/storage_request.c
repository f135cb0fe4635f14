#include "storage/storage_request.h"

#include <stdint.h>

void storage_request_init(struct storage_request *request, enum storage_service service,
                          const char *method, int success_http_status) {
    request->service = service;
    request->method = method;
    request->success = (struct storage_success){
        .http_status = success_http_status, .service = service == STORAGE_TABLE ? "Table" : "Blob"};
    request->max_attempts = 0;
    strbuf_init(&request->path, SIZE_MAX);
    http_headers_init(&request->query);
    http_headers_init(&request->headers);
    strbuf_init(&request->body, SIZE_MAX);
}

void storage_request_cleanup(struct storage_request *request) {
    strbuf_cleanup(&request->path);
    http_headers_cleanup(&request->query);
    http_headers_cleanup(&request->headers);
    strbuf_cleanup(&request->body);
}

enum status storage_request_status(const struct storage_request *request) {
    enum status status = strbuf_status(&request->path);
    if (status == STATUS_OK) {
        status = request->query.status;
    }
    if (status == STATUS_OK) {
        status = request->headers.status;
    }
    return status == STATUS_OK ? strbuf_status(&request->body) : status;
}
