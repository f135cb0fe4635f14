#include "identity/storage_account.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "identity/endpoint_check.h"

#define WHITE_SPACE " \t\r\n"
#define ALPHANUMERICS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* "Use the Azurite emulator": the same name and key for everybody. */
#define DEVELOPMENT_NAME "devstoreaccount1"
#define DEVELOPMENT_KEY \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

/* ---- addresses ---- */

/* Returns the length of "http://" or "https://" at the start of `text`, or 0. */
static size_t scheme_length(const char *text) {
    if (strncasecmp(text, "https://", 8) == 0) {
        return 8;
    }
    return strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
}

/*
 * Returns the length of the host at the start of `text`: a name, an IPv4 address, or an IPv6
 * address in brackets. 0: there is none.
 */
static size_t host_length(const char *text) {
    if (text[0] != '[') {
        return strspn(text, ALPHANUMERICS "-._");
    }
    size_t inside = strspn(text + 1, "0123456789ABCDEFabcdef:.");
    return inside > 0 && text[1 + inside] == ']' ? inside + 2 : 0;
}

static bool is_port(const char *digits, size_t length) {
    if (length == 0 || length > 5) {
        return false;
    }
    long port = strtol(digits, NULL, 10);
    return port >= 1 && port <= 65535;
}

/* Returns what is wrong with an address, or NULL. */
static const char *address_mistake(const char *text) {
    size_t scheme = scheme_length(text);
    if (scheme == 0) {
        return "it does not begin with http:// or https://";
    }
    size_t host = host_length(text + scheme);
    if (host == 0) {
        return "it has no host";
    }
    const char *rest = text + scheme + host;
    if (*rest == ':') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (!is_port(rest + 1, digits)) {
            return "its port is not a number from 1 to 65535";
        }
        rest += 1 + digits;
    }
    if (*rest != '\0' && *rest != '/') {
        return "there is something between its host and its path";
    }
    if (rest[strspn(rest, ALPHANUMERICS "/-._~%!$&'()*+,;=:@")] != '\0') {
        return "its path holds a character that is not allowed there, or a query or fragment "
               "follows";
    }
    return strlen(text) < STORAGE_ENDPOINT_BYTES ? NULL : "it is too long";
}

enum status storage_endpoint_parse(const char *text, char out[STORAGE_ENDPOINT_BYTES],
                                   struct error *err) {
    const char *mistake = address_mistake(text);
    if (mistake != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "not an address of the form https://host[:port][/path]: %s", mistake);
    }
    size_t length = strlen(text);
    while (text[length - 1] == '/') {
        length--;
    }
    memmove(out, text, length);
    out[length] = '\0';
    return STATUS_OK;
}

bool storage_endpoint_for_tables(const char *blob_endpoint, char out[STORAGE_ENDPOINT_BYTES]) {
    static const char blob[] = ".blob.";
    const char *host = blob_endpoint + scheme_length(blob_endpoint);
    const char *found = strcasestr(host, blob);
    if (found == NULL || found >= host + host_length(host)) {
        return false;
    }
    char tables[STORAGE_ENDPOINT_BYTES];
    int length = snprintf(tables, sizeof tables, "%.*s.table.%s", (int)(found - blob_endpoint),
                          blob_endpoint, found + strlen(blob));
    if (length < 0 || (size_t)length >= sizeof tables) {
        return false;
    }
    memcpy(out, tables, (size_t)length + 1);
    return true;
}

/* Whether a host is in 127.0.0.0/8. Only the usual form counts; "127.1" may be a name. */
static bool is_loopback_ipv4(const char *host, size_t length) {
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (length >= sizeof text) {
        return false;
    }
    memcpy(text, host, length);
    text[length] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool is_host(const char *host, size_t length, const char *name) {
    return length == strlen(name) && strncasecmp(host, name, length) == 0;
}

bool storage_endpoint_is_private(const char *url) {
    size_t scheme = scheme_length(url);
    const char *host = url + scheme;
    size_t length = host_length(host);
    const char *rest = host + length;
    rest += *rest == ':' ? 1 + strspn(rest + 1, "0123456789") : 0;
    if (scheme == strlen("https://")) {
        return true;
    }
    bool is_whole_host = *rest == '\0' || *rest == '/' || *rest == '?';
    if (scheme == 0 || !is_whole_host) { /* such as localhost:x@elsewhere */
        return false;
    }
    return is_host(host, length, "localhost") || is_host(host, length, "[::1]") ||
           is_loopback_ipv4(host, length);
}

/* ---- connection strings ---- */

enum setting {
    ACCOUNT_NAME,
    ACCOUNT_KEY,
    SHARED_ACCESS_SIGNATURE,
    DEFAULT_ENDPOINTS_PROTOCOL,
    ENDPOINT_SUFFIX,
    BLOB_ENDPOINT,
    TABLE_ENDPOINT,
    USE_DEVELOPMENT_STORAGE,
    DEVELOPMENT_STORAGE_PROXY_URI,
    SETTING_COUNT
};

static const char *const setting_names[SETTING_COUNT] = {
    [ACCOUNT_NAME] = "AccountName",
    [ACCOUNT_KEY] = "AccountKey",
    [SHARED_ACCESS_SIGNATURE] = "SharedAccessSignature",
    [DEFAULT_ENDPOINTS_PROTOCOL] = "DefaultEndpointsProtocol",
    [ENDPOINT_SUFFIX] = "EndpointSuffix",
    [BLOB_ENDPOINT] = "BlobEndpoint",
    [TABLE_ENDPOINT] = "TableEndpoint",
    [USE_DEVELOPMENT_STORAGE] = "UseDevelopmentStorage",
    [DEVELOPMENT_STORAGE_PROXY_URI] = "DevelopmentStorageProxyUri",
};

/* The values of one connection string. They point into a copy of it. NULL: missing. */
struct settings {
    const char *values[SETTING_COUNT];
};

static char *trim(char *text) {
    text += strspn(text, WHITE_SPACE);
    size_t length = strlen(text);
    while (length > 0 && strchr(WHITE_SPACE, text[length - 1]) != NULL) {
        length--;
    }
    text[length] = '\0';
    return text;
}

/* Returns what is wrong with a value, whatever its name, or NULL. */
static const char *value_mistake(const char *value) {
    if (*value == '\0') {
        return "is empty";
    }
    if (*value == '"' || *value == '\'') {
        return "stands in quotes; leave them out";
    }
    if (strncasecmp(value, "@Microsoft.", 11) == 0) {
        return "is a reference to Azure's Key Vault or App Configuration, "
               "which is resolved only as a setting's whole value";
    }
    return NULL;
}

/* Reads one "Name=Value". Unknown names are ignored. */
static enum status read_part(char *part, struct settings *settings, struct error *err) {
    char *equals = strchr(part, '=');
    if (equals == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a part of the connection string is not of the form Name=Value");
    }
    *equals = '\0';
    const char *name = trim(part), *value = trim(equals + 1);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcasecmp(name, setting_names[i]) != 0) {
            continue;
        }
        if (settings->values[i] != NULL) {
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s is there twice", setting_names[i]);
        }
        const char *mistake = value_mistake(value);
        if (mistake != NULL) {
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s %s", setting_names[i], mistake);
        }
        settings->values[i] = value;
    }
    return STATUS_OK;
}

/* Splits `text` into its parts, in place. */
static enum status read_settings(char *text, struct settings *settings, struct error *err) {
    *settings = (struct settings){{NULL}};
    char *rest = text, *part;
    while ((part = strsep(&rest, ";")) != NULL) {
        part = trim(part);
        enum status status = *part != '\0' ? read_part(part, settings, err) : STATUS_OK;
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status set_name(struct storage_account *account, const char *name, struct error *err) {
    if (name == NULL) {
        return STATUS_OK;
    }
    if (strchr(name, '.') != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "AccountName looks like a host; the account's name is what stands before "
                         "the first dot");
    }
    if (strlen(name) >= sizeof account->name || name[strspn(name, ALPHANUMERICS "-")] != '\0') {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "AccountName must be 1 to %zu letters, digits and hyphens",
                         sizeof account->name - 1);
    }
    memcpy(account->name, name, strlen(name) + 1);
    return STATUS_OK;
}

static enum status set_key(struct storage_account *account, const char *text, struct error *err) {
    struct strbuf key;
    strbuf_init(&key, sizeof account->key);
    enum status status = crypto_base64_decode(text, &key);
    if (status == STATUS_OK) {
        memcpy(account->key, key.data, key.length);
        account->key_length = key.length;
    }
    strbuf_cleanup_wipe(&key);
    if (status == STATUS_NO_MEMORY) {
        return error_set(err, status, "no memory for the account key");
    }
    if (status != STATUS_OK) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "AccountKey is not a key in base64");
    }
    return STATUS_OK;
}

/*
 * Returns a known mistake in a SAS, or NULL. Storage would only answer 403. A base64 signature may
 * contain '+', which must be encoded, because in a query it is a space.
 */
static const char *sas_mistake(const char *sas) {
    const char *signature = strstr(sas, "sig=");
    size_t length = signature != NULL ? strcspn(signature, "&") : 0;
    if (scheme_length(sas) > 0) {
        return "is a whole address; only what follows its '?' belongs here";
    }
    if (strstr(sas, "&amp") != NULL) {
        return "has \"&amp;\" where \"&\" must be";
    }
    if (signature == NULL) {
        return NULL;
    }
    if (memchr(signature, '+', length) != NULL) {
        return "has a raw '+' in its sig; write it as %2B, as Azure has given it";
    }
    if (memchr(signature, ' ', length) != NULL) {
        return "has a space in its sig, where a '+' was; write it as %2B, as Azure has given it";
    }
    if (memmem(signature, length, "%25", 3) != NULL) {
        return "has its sig percent-encoded twice (%25)";
    }
    return NULL;
}

static enum status set_sas(struct storage_account *account, const char *text, struct error *err) {
    if (*text == '?') {
        text++;
    }
    const char *mistake = value_mistake(text);
    if (mistake == NULL) {
        mistake = sas_mistake(text);
    }
    if (mistake != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "SharedAccessSignature %s", mistake);
    }
    bool is_signed = strncmp(text, "sig=", 4) == 0 || strstr(text, "&sig=") != NULL;
    if (!is_signed || strlen(text) >= sizeof account->sas ||
        strpbrk(text, WHITE_SPACE "#?") != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SharedAccessSignature is not a SAS of the form sv=...&sig=...");
    }
    memcpy(account->sas, text, strlen(text) + 1);
    return STATUS_OK;
}

static enum status set_sign_in(struct storage_account *account, const struct settings *settings,
                               struct error *err) {
    const char *key = settings->values[ACCOUNT_KEY],
               *sas = settings->values[SHARED_ACCESS_SIGNATURE];
    if (key != NULL && sas != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "AccountKey and SharedAccessSignature exclude each other");
    }
    if (sas != NULL) {
        return set_sas(account, sas, err);
    }
    if (key == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "AccountKey or SharedAccessSignature is missing");
    }
    if (settings->values[ACCOUNT_NAME] == NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "AccountName is missing");
    }
    return set_key(account, key, err);
}

/* Writes the given endpoint, or makes it from the account's name; "" if there is neither. */
static enum status set_endpoint(const struct settings *settings, enum setting setting,
                                const char *service, char out[STORAGE_ENDPOINT_BYTES],
                                struct error *err) {
    const char *protocol = settings->values[DEFAULT_ENDPOINTS_PROTOCOL],
               *suffix = settings->values[ENDPOINT_SUFFIX];
    const char *given = settings->values[setting], *name = settings->values[ACCOUNT_NAME];
    char made[STORAGE_ENDPOINT_BYTES];
    if (given == NULL && name == NULL) {
        return STATUS_OK;
    }
    if (given == NULL) {
        snprintf(made, sizeof made, "%s://%s.%s.%s", protocol != NULL ? protocol : "https", name,
                 service, suffix != NULL ? suffix : "core.windows.net");
        given = made;
    }
    const char *mistake = endpoint_check_mistake(given, service);
    enum status status = mistake != NULL ? error_set(err, STATUS_INVALID_ARGUMENT, "%s", mistake)
                                         : storage_endpoint_parse(given, out, err);
    if (status != STATUS_OK) {
        char shown[ENDPOINT_SHOWN_BYTES];
        endpoint_check_show(given, shown);
        error_wrap(err, "%s: %s",
                   given == made
                       ? "DefaultEndpointsProtocol, AccountName and EndpointSuffix together"
                       : setting_names[setting],
                   shown);
    }
    return status;
}

/* Rejects http to other machines. A SAS could be read, and answers changed, on the way. */
static enum status check_endpoints_private(const struct storage_account *account,
                                           struct error *err) {
    const char *endpoints[] = {account->blob_endpoint, account->table_endpoint};
    for (size_t i = 0; i < 2; i++) {
        if (*endpoints[i] != '\0' && !storage_endpoint_is_private(endpoints[i])) {
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "it would sign in to %.*s over http; http is for localhost, "
                             "127.0.0.0/8 and [::1] alone",
                             ENDPOINT_SHOWN_BYTES, endpoints[i]);
        }
    }
    return STATUS_OK;
}

static enum status set_endpoints(struct storage_account *account, const struct settings *settings,
                                 struct error *err) {
    enum status status = set_endpoint(settings, BLOB_ENDPOINT, "blob", account->blob_endpoint, err);
    if (status == STATUS_OK) {
        status = set_endpoint(settings, TABLE_ENDPOINT, "table", account->table_endpoint, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (account->blob_endpoint[0] == '\0') {
        return error_set(err, STATUS_INVALID_ARGUMENT, "AccountName or BlobEndpoint is missing");
    }
    if (account->table_endpoint[0] == '\0') {
        storage_endpoint_for_tables(account->blob_endpoint, account->table_endpoint);
    }
    if (settings->values[TABLE_ENDPOINT] == NULL &&
        !storage_endpoint_is_private(account->table_endpoint)) {
        /* It was only derived. Programs without tables need no error; others must configure it. */
        account->table_endpoint[0] = '\0';
    }
    return check_endpoints_private(account, err);
}

/*
 * Returns what is wrong with the emulator's host, or NULL. It must do for both services. No host of
 * Azure's does, because each has its service in its name.
 */
static const char *proxy_mistake(const char *origin, const struct storage_account *account) {
    const char *const tried[][2] = {{origin, "blob"},
                                    {origin, "table"},
                                    {account->blob_endpoint, "blob"},
                                    {account->table_endpoint, "table"}};
    const char *mistake = NULL;
    for (size_t i = 0; i < sizeof tried / sizeof tried[0] && mistake == NULL; i++) {
        mistake = endpoint_check_mistake(tried[i][0], tried[i][1]);
    }
    return mistake;
}

static enum status set_development(struct storage_account *account, const struct settings *settings,
                                   struct error *err) {
    const char *wanted = settings->values[USE_DEVELOPMENT_STORAGE],
               *proxy = settings->values[DEVELOPMENT_STORAGE_PROXY_URI];
    char address[STORAGE_ENDPOINT_BYTES] = "http://127.0.0.1";
    if (strcasecmp(wanted, "true") != 0) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "UseDevelopmentStorage can only be true");
    }
    enum status status = proxy != NULL ? storage_endpoint_parse(proxy, address, err) : STATUS_OK;
    if (status != STATUS_OK) {
        error_wrap(err, "DevelopmentStorageProxyUri");
        return status;
    }
    /* The proxy's port and path are ignored: by convention the ports are Azurite's. */
    size_t scheme = scheme_length(address);
    int host = (int)(scheme + host_length(address + scheme));
    if ((size_t)host + sizeof ":10000/" DEVELOPMENT_NAME > STORAGE_ENDPOINT_BYTES) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "DevelopmentStorageProxyUri: it is too long");
    }
    snprintf(account->blob_endpoint, STORAGE_ENDPOINT_BYTES, "%.*s:10000/%s", host, address,
             DEVELOPMENT_NAME);
    snprintf(account->table_endpoint, STORAGE_ENDPOINT_BYTES, "%.*s:10002/%s", host, address,
             DEVELOPMENT_NAME);
    address[host] = '\0';
    const char *mistake = proxy_mistake(address, account);
    if (mistake != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "DevelopmentStorageProxyUri: %s", mistake);
    }
    memcpy(account->name, DEVELOPMENT_NAME, sizeof DEVELOPMENT_NAME);
    status = check_endpoints_private(account, err);
    return status == STATUS_OK ? set_key(account, DEVELOPMENT_KEY, err) : status;
}

static enum status set_account(struct storage_account *account, const struct settings *settings,
                               struct error *err) {
    if (settings->values[USE_DEVELOPMENT_STORAGE] != NULL) {
        return set_development(account, settings, err);
    }
    enum status status = set_sign_in(account, settings, err);
    if (status == STATUS_OK) {
        status = set_name(account, settings->values[ACCOUNT_NAME], err);
    }
    return status == STATUS_OK ? set_endpoints(account, settings, err) : status;
}

/* Whether a text is an account key as the portal shows it: 64 bytes in base64. */
static bool is_key(const char *text) {
    size_t length = strspn(text, ALPHANUMERICS "+/");
    return length == 86 && strncmp(text + length, "==", 2) == 0 &&
           text[length + 2 + strspn(text + length + 2, WHITE_SPACE)] == '\0';
}

/* Returns what a text is instead of a connection string, or NULL. */
static const char *string_mistake(const char *text) {
    bool is_signed = strstr(text, "sig=") != NULL, has_parts = strchr(text, ';') != NULL;
    if (*text == '"' || *text == '\'') {
        return "it stands in quotes; leave them out";
    }
    if (is_key(text)) {
        return "it is an account key alone; write AccountName=...;AccountKey=... with it";
    }
    if (*text == '{') {
        return "it is JSON; only the text in it is the connection string";
    }
    if (scheme_length(text) > 0 && !has_parts) {
        return is_signed
                   ? "it is a SAS URL, not a connection string; write "
                     "BlobEndpoint=https://ACCOUNT.blob.core.windows.net;SharedAccessSignature=... "
                     "with what follows the URL's '?'"
                   : "it is an address, not a connection string";
    }
    if (is_signed && !has_parts && strcasestr(text, "SharedAccessSignature=") == NULL) {
        return "it is a SAS alone; write "
               "BlobEndpoint=https://ACCOUNT.blob.core.windows.net;SharedAccessSignature=... "
               "with it";
    }
    return NULL;
}

enum status storage_account_parse(const char *connection_string, struct storage_account *out,
                                  struct error *err) {
    const char *mistake =
        string_mistake(connection_string + strspn(connection_string, WHITE_SPACE));
    if (mistake != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s", mistake);
    }
    char *copy = strdup(connection_string);
    if (copy == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the connection string");
    }
    size_t length = strlen(copy);
    struct storage_account account;
    memset(&account, 0, sizeof account);
    struct settings settings;
    enum status status = read_settings(copy, &settings, err);
    if (status == STATUS_OK) {
        status = set_account(&account, &settings, err);
    }
    if (status == STATUS_OK) {
        *out = account;
    }
    crypto_wipe(copy, length);
    free(copy);
    storage_account_wipe(&account);
    return status;
}

void storage_account_wipe(struct storage_account *account) {
    crypto_wipe(account, sizeof *account);
}
