#include "simulation/simulated_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_PREFIX "token-"

void simulated_identity_answer(struct simulated_identity *identity, struct strbuf *out) {
    char body[256];
    int number = identity->count++;
    identity->ends_us[number % SIMULATED_MOST_TOKENS] =
        identity->simulation->now_us + identity->lifetime_us;
    snprintf(body, sizeof body,
             "{\"access_token\":\"" TOKEN_PREFIX
             "%d\",\"token_type\":\"Bearer\",\"expires_in\":\"%lld\","
             "\"resource\":\"https://storage.azure.com/\"}",
             number, (long long)(identity->lifetime_us / 1000000));
    strbuf_appendf(
        out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(body), body);
}

bool simulated_identity_accepts(void *context, struct text token) {
    const struct simulated_identity *identity = context;
    char text[32];
    if (!text_copy(text_trim(token), text, sizeof text) ||
        strncmp(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) != 0) {
        return false;
    }
    int number = atoi(text + strlen(TOKEN_PREFIX));
    return number > identity->count - SIMULATED_MOST_TOKENS && number < identity->count &&
           number >= 0 &&
           identity->simulation->now_us < identity->ends_us[number % SIMULATED_MOST_TOKENS];
}

void simulated_identity_revoke_all(struct simulated_identity *identity) {
    memset(identity->ends_us, 0, sizeof identity->ends_us);
}
