#include <string.h>

#include "http/wiped_memory.h"
#include "identity/credential.h"

static enum status authorize(struct credential *credential, struct credential_request *request,
                             struct error *err) {
    const struct credential_sas *self = (const struct credential_sas *)credential;
    strbuf_append_char(request->url, strchr(request->url->data, '?') ? '&' : '?');
    strbuf_append_string(request->url, self->account->sas);
    enum status status = strbuf_status(request->url);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, STATUS_NO_MEMORY, "no memory for the request's address");
}

void credential_sas_init(struct credential_sas *credential, const struct storage_account *account) {
    wiped_memory_expect_secrets();
    *credential = (struct credential_sas){.base.authorize = authorize, .account = account};
}
