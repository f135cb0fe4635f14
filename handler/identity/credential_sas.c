#include <string.h>

#include "http/wiped_memory.h"
#include "identity/credential.h"
#include "identity/storage_account.h"

static enum status sas_authorize(struct credential *credential, struct credential_request *request,
                                 struct error *err) {
    const struct credential_sas *self = (const struct credential_sas *)credential;
    strbuf_append_char(request->url, strchr(request->url->data, '?') != NULL ? '&' : '?');
    strbuf_append_string(request->url, self->account->sas);
    if (strbuf_status(request->url) != STATUS_OK) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the request's address");
    }
    return STATUS_OK;
}

void credential_sas_init(struct credential_sas *credential, const struct storage_account *account) {
    wiped_memory_expect_secrets();
    *credential = (struct credential_sas){.base.authorize = sas_authorize, .account = account};
}
