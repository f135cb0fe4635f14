#include "support/checks/sas.h"

#include <check.h>
#include <stdio.h>
#include <time.h>

#include "base/crypto.h"
#include "base/strbuf.h"
#include "support/processes/azurite.h"

#define VERSION "2021-12-02"
#define PERMISSIONS "rwdlacup"
#define SERVICES "bt"
#define RESOURCE_TYPES "sco"

static void write_signature(const char *expiry, struct strbuf *out) {
    struct strbuf key, text;
    strbuf_init(&key, 128);
    strbuf_init(&text, SAS_BYTES);
    ck_assert_int_eq(crypto_base64_decode(AZURITE_KEY, &key), STATUS_OK);
    /* Between them: no start, no address range, any protocol; at the end no encryption scope. */
    strbuf_appendf(&text, "%s\n%s\n%s\n%s\n\n%s\n\n\n%s\n\n", AZURITE_ACCOUNT, PERMISSIONS,
                   SERVICES, RESOURCE_TYPES, expiry, VERSION);
    unsigned char mac[SHA256_BYTES];
    struct crypto_hmac hmac;
    ck_assert_int_eq(crypto_hmac_init(&hmac, key.data, key.length), STATUS_OK);
    ck_assert_int_eq(crypto_hmac_sign(&hmac, text.data, text.length, mac), STATUS_OK);
    crypto_hmac_cleanup(&hmac);
    crypto_base64_encode(mac, sizeof mac, out);
    strbuf_cleanup(&key), strbuf_cleanup(&text);
}

void sas_write(int64_t lifetime_s, char out[SAS_BYTES]) {
    time_t expires_s = time(NULL) + (time_t)lifetime_s;
    struct tm utc;
    char expiry[32];
    gmtime_r(&expires_s, &utc);
    strftime(expiry, sizeof expiry, "%Y-%m-%dT%H:%M:%SZ", &utc);
    struct strbuf signature, text;
    strbuf_init(&signature, SAS_BYTES), strbuf_init(&text, SAS_BYTES - 1);
    write_signature(expiry, &signature);
    strbuf_append_string(&text, "sv=" VERSION "&ss=" SERVICES "&srt=" RESOURCE_TYPES
                                "&sp=" PERMISSIONS "&se=");
    strbuf_append_percent_encoded(&text, expiry);
    strbuf_append_string(&text, "&sig=");
    strbuf_append_percent_encoded(&text, signature.data);
    ck_assert_int_eq(strbuf_status(&text), STATUS_OK);
    snprintf(out, SAS_BYTES, "%s", text.data);
    strbuf_cleanup(&signature), strbuf_cleanup(&text);
}
