/*
 * jwt.h - JSON Web Tokens as tests need them: access tokens that Azurite takes, and a judge of
 * client assertions.
 *
 * Source       Azurite's OAuth level "basic" looks at nbf, exp, iat, aud and iss, and not at the
 *              signature (its BlobTokenAuthenticator and TableTokenAuthenticator); it takes them
 *              over https alone, and answers 403 AuthenticationFailed to any other. A client
 *              assertion's form: "Microsoft identity platform application authentication
 *              certificate credentials".
 */
#ifndef SUPPORT_JWT_H
#define SUPPORT_JWT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An access token for https://storage.azure.com, good for `lifetime_s` seconds from now (below 0:
 * over already), unlike any other. The caller's (free).
 */
char *jwt_make_access_token(int64_t lifetime_s);

enum { JWT_COMPLAINT_BYTES = 128 };

/* Who should have made an assertion, and for whom. */
struct jwt_expectation {
    const char *certificate; /* the path of a PEM file with a certificate */
    const char *client_id;
    const char *audience; /* the token endpoint's address */
};

/*
 * Is it a client assertion as Entra ID takes one: RS256, x5t#S256, its claims, its signature? If
 * not, `complaint` tells why.
 */
bool jwt_check_assertion(const char *assertion, const struct jwt_expectation *expected,
                         char complaint[JWT_COMPLAINT_BYTES]);

#endif
