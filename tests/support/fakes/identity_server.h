/*
 * identity_server.h - where apps get their access tokens, for tests: on 127.0.0.1, over http. It
 * plays
 *
 *   App Service     GET  /msi/token                        IDENTITY_ENDPOINT; "How to use managed
 *                   identities for App Service"
 *   IMDS            GET  /metadata/identity/oauth2/token   "How to use managed identities on a
 *                   virtual machine to acquire an access token"
 *   token endpoint  POST /{tenant}/oauth2/v2.0/token       "OAuth 2.0 client credentials flow": a
 *                   secret, a certificate, a federated token
 *
 * Rules        Strict: a request that is not exactly what Azure documents, with the caller's own
 *              secret, gets an error and is remembered with a complaint. So a test whose app has a
 *              token has proved its request's form. Tokens are ones that Azurite takes (jwt.h);
 *              each is another. A test says how the server answers: well (at first), or as struct
 *              identity_answer has it.
 */
#ifndef SUPPORT_IDENTITY_SERVER_H
#define SUPPORT_IDENTITY_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity_server;

#define IDENTITY_TENANT_ID "ab1f708d-50f6-404c-a006-d71b2ac7a606"
#define IDENTITY_CLIENT_ID "f997392c-e15a-4ad8-af9e-cd6966caba7f"

/* Who may have tokens. NULL: nobody by this way. Strings are copied. */
struct identity_rules {
    const char *header_secret;   /* App Service: IDENTITY_HEADER */
    const char *client_secret;   /* token endpoint, for IDENTITY_CLIENT_ID of IDENTITY_TENANT_ID */
    const char *certificate;     /* the same: the path of its PEM file */
    const char *federated_token; /* the same */
    const char *
        /* App Service, IMDS: the client id that is asked for; NULL: the system-assigned identity */
        managed_identity;
};

/*
 * How a request is answered; zeroed: with a token that is good for an hour. Strings are borrowed
 * until the server stops.
 */
struct identity_answer {
    int64_t delay_ms;
    bool hang;         /* waits for identity_server_let_go before the rest */
    int status;        /* other than 0 and 200: an error of this status */
    int retry_after_s; /* 0: no such header */
    bool echo;         /* an error tells the whole request again, as careless servers do */
    const char *body;  /* this instead of JSON with a token */
    size_t body_length;
    int64_t lifetime_s;        /* what the answer says; 0: 3600 */
    int64_t refresh_in_s;      /* when the answer wants to be asked again; 0: it does not say */
    int64_t actual_lifetime_s; /* what the token itself says; 0: the same */
};

enum identity_endpoint {
    IDENTITY_NOWHERE,
    IDENTITY_APP_SERVICE,
    IDENTITY_IMDS,
    IDENTITY_TOKEN_ENDPOINT
};

/* A request as it came; lives as long as the server. */
struct identity_request {
    enum identity_endpoint endpoint;
    int64_t at_ms;   /* when, on process.h's clock */
    char *complaint; /* what is wrong with it; "" if nothing */
    char *assertion; /* what came as client_assertion, decoded; "" if none */
    char *token;     /* what it was answered with; "" if no token */
};

struct identity_server *identity_server_start(const struct identity_rules *rules);
void identity_server_stop(struct identity_server *server);

/* "http://127.0.0.1:PORT" */
const char *identity_server_url(const struct identity_server *server);

/* From now on this federated token is the good one. */
void identity_server_expect_federated_token(struct identity_server *server, const char *token);

/* How requests are answered that come from now on; and, before that, `count` of them. */
void identity_server_answer(struct identity_server *server, const struct identity_answer *answer);
void identity_server_answer_next(struct identity_server *server, size_t count,
                                 const struct identity_answer *answer);

/* Makes those who hang answer, and all that would hang later. */
void identity_server_let_go(struct identity_server *server);

/* How many requests there were, and number `index` of them. */
size_t identity_server_count(struct identity_server *server);
const struct identity_request *identity_server_request(struct identity_server *server,
                                                       size_t index);

/* Polls until there were `count`. False: not within `timeout_ms`. */
bool identity_server_wait(struct identity_server *server, size_t count, int64_t timeout_ms);

#endif
