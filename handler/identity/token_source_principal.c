#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/uuid.h"
#include "identity/token_http.h"
#include "identity/token_source.h"

enum { ASSERTION_MAX_BYTES = 16 * 1024, ASSERTION_LIFETIME_S = 600 };

/*
 * ---- the assertion ----
 *
 * Source: "Microsoft identity platform application authentication certificate credentials".
 */

/* Appends a JSON object as base64url, and deletes it. `object` NULL stands for no memory. */
static enum status append_json(struct strbuf *out, cJSON *object) {
    char *text = object == NULL ? NULL : cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (text == NULL) {
        return STATUS_NO_MEMORY;
    }
    crypto_base64url_encode(text, strlen(text), out);
    cJSON_free(text);
    return strbuf_status(out);
}

/* Makes the header, which the caller deletes. NULL: no memory. */
static cJSON *assertion_header(const struct crypto_identity *identity) {
    struct strbuf thumbprint;
    strbuf_init(&thumbprint, SHA256_TEXT_BYTES);
    crypto_base64url_encode(identity->thumbprint, sizeof identity->thumbprint, &thumbprint);
    cJSON *header = cJSON_CreateObject();
    bool ok = strbuf_status(&thumbprint) == STATUS_OK &&
              cJSON_AddStringToObject(header, "alg", "RS256") != NULL &&
              cJSON_AddStringToObject(header, "typ", "JWT") != NULL &&
              cJSON_AddStringToObject(header, "x5t#S256", thumbprint.data) != NULL;
    strbuf_cleanup(&thumbprint);
    if (!ok) {
        cJSON_Delete(header);
        return NULL;
    }
    return header;
}

/* Makes the claims, which the caller deletes. NULL: no memory. */
static cJSON *assertion_claims(const struct token_client *client, const char *audience,
                               const char *id, int64_t now_s) {
    cJSON *claims = cJSON_CreateObject();
    bool ok = cJSON_AddStringToObject(claims, "aud", audience) != NULL &&
              cJSON_AddStringToObject(claims, "iss", client->client_id) != NULL &&
              cJSON_AddStringToObject(claims, "sub", client->client_id) != NULL &&
              cJSON_AddStringToObject(claims, "jti", id) != NULL &&
              json_add_int64(claims, "iat", now_s) && json_add_int64(claims, "nbf", now_s) &&
              json_add_int64(claims, "exp", now_s + ASSERTION_LIFETIME_S);
    if (!ok) {
        cJSON_Delete(claims);
        return NULL;
    }
    return claims;
}

/* Appends a dot and the signature of everything before it. */
static enum status append_signature(struct strbuf *out, const struct crypto_identity *identity) {
    unsigned char signature[CRYPTO_SIGNATURE_MAX_BYTES];
    size_t length;
    enum status status = crypto_sign_rs256(identity, out->data, out->length, signature, &length);
    if (status == STATUS_OK) {
        strbuf_append_char(out, '.');
        crypto_base64url_encode(signature, length, out);
        status = strbuf_status(out);
    }
    crypto_wipe(signature, sizeof signature);
    return status;
}

/* Appends HEADER.CLAIMS.SIGNATURE. */
static enum status append_assertion(struct strbuf *out, const struct token_client *client,
                                    const struct crypto_identity *identity,
                                    const struct platform *platform) {
    char id[UUID_TEXT_BYTES];
    struct strbuf audience;
    strbuf_init(&audience, ASSERTION_MAX_BYTES);
    token_http_endpoint(&audience, client);
    int64_t now_s = clock_wall_ms(platform->clock) / 1000;
    enum status status = strbuf_status(&audience);
    if (status != STATUS_OK) {
        goto cleanup;
    }
    status = uuid_v4(platform->random, id);
    if (status != STATUS_OK) {
        goto cleanup;
    }
    status = append_json(out, assertion_header(identity));
    if (status != STATUS_OK) {
        goto cleanup;
    }
    strbuf_append_char(out, '.');
    status = append_json(out, assertion_claims(client, audience.data, id, now_s));
    if (status != STATUS_OK) {
        goto cleanup;
    }
    status = append_signature(out, identity);
cleanup:
    strbuf_cleanup(&audience);
    return status;
}

/* Appends an assertion, signed with the certificate's key. */
static enum status make_assertion(const struct token_source_principal *self,
                                  const struct strbuf *pem, struct strbuf *out, struct error *err) {
    struct crypto_identity identity;
    enum status status = crypto_identity_read(pem->data, pem->length, &identity, err);
    if (status != STATUS_OK) {
        error_wrap(err, "%s", self->certificate_path);
        return status;
    }
    status = append_assertion(out, &self->client, &identity, self->http.platform);
    if (status != STATUS_OK) {
        error_set(err, status, "signing an assertion with %s: %s", self->certificate_path,
                  status_text(status));
    }
    crypto_identity_cleanup(&identity);
    return status;
}

/* ---- the source ---- */

static enum status ask_with_certificate(struct token_http_source *source, struct strbuf *pem,
                                        struct error *err) {
    const struct token_source_principal *self = (const struct token_source_principal *)source;
    struct strbuf assertion;
    strbuf_init(&assertion, ASSERTION_MAX_BYTES);
    enum status status = make_assertion(self, pem, &assertion, err);
    if (status == STATUS_OK) {
        token_http_add_assertion(token_http_begin_form(source, source->platform, &self->client),
                                 assertion.data);
        status = token_http_post_form(source, &self->client, err);
    }
    strbuf_cleanup_wipe(&assertion);
    return status;
}

static enum status principal_start(struct token_source *source, const struct platform *platform,
                                   struct error *err) {
    struct token_source_principal *self = (struct token_source_principal *)source;
    if (self->secret == NULL) {
        return token_http_read_file(&self->http, platform, self->certificate_path,
                                    ask_with_certificate, err);
    }
    struct strbuf *form = token_http_begin_form(&self->http, platform, &self->client);
    token_http_add_field(form, "client_secret", self->secret);
    return token_http_post_form(&self->http, &self->client, err);
}

void token_source_principal_init(struct token_source_principal *source,
                                 const struct token_client *client, const char *secret,
                                 const char *certificate_path) {
    *source = (struct token_source_principal){
        .http.base = {.name = secret != NULL ? "a service principal's secret"
                                             : "a service principal's certificate",
                      .start = principal_start,
                      .cancel = token_http_cancel},
        .client = *client,
        .secret = secret,
        .certificate_path = certificate_path,
    };
}
