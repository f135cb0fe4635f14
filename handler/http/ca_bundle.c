#include "http/ca_bundle.h"

#include <stddef.h>
#include <unistd.h>

const char *const ca_bundle_places[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    NULL,
};

const char *ca_bundle_find(const char *const places[]) {
    while (*places != NULL && access(*places, R_OK) != 0) {
        places++;
    }
    return *places;
}
