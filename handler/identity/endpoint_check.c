#include "identity/endpoint_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_BYTES = 256 };

/* The parts of an address; "" if missing. */
struct address_parts {
    char host[HOST_BYTES]; /* without port */
    const char *path;
};

static void split_address(const char *address, struct address_parts *out) {
    const char *scheme_end = strstr(address, "://");
    const char *host = scheme_end == NULL ? address : scheme_end + 3;
    size_t length = host[0] == '[' ? strcspn(host, "]/?#") + 1 : strcspn(host, ":/?#");
    snprintf(out->host, sizeof out->host, "%.*s",
             (int)(length < HOST_BYTES ? length : HOST_BYTES - 1), host);
    out->path = host + strcspn(host, "/?#");
}

/* Returns true if one of the host's labels between the first and the last is `label`. */
static bool has_label(const char *host, const char *label) {
    char dotted[16];
    snprintf(dotted, sizeof dotted, ".%s.", label);
    return strcasestr(host, dotted) != NULL;
}

static bool begins_with_label(const char *host, const char *label) {
    size_t length = strlen(label);
    return strncasecmp(host, label, length) == 0 && host[length] == '.';
}

/*
 * Whether it is a host of Azure's own: "ACCOUNT.blob.core.windows.net", in other clouds
 * "...core.chinacloudapi.cn", or "....storage.azure.net".
 */
static bool is_azure_host(const char *host) {
    return strcasestr(host, ".core.windows.") != NULL ||
           strcasestr(host, ".core.chinacloudapi.") != NULL ||
           strcasestr(host, ".core.usgovcloudapi.") != NULL ||
           strcasestr(host, ".storage.azure.net") != NULL;
}

static bool is_this_machine(const char *host) {
    return strcasecmp(host, "localhost") == 0 || host[0] == '[' ||
           host[strspn(host, "0123456789.")] == '\0';
}

static const char *service_mistake(const char *host, bool wants_blobs) {
    static const struct {
        const char *label;
        const char *mistake;
    } others[] = {
        {"queue", "it is the address of queues"},
        {"file", "it is the address of files"},
        {"dfs", "it is the address of Data Lake (.dfs.)"},
        {"web", "it is the address of a static website (.web.)"},
    };
    if (wants_blobs && has_label(host, "table") && !has_label(host, "blob")) {
        return "it is the address of tables, not of blobs";
    }
    if (!wants_blobs && has_label(host, "blob") && !has_label(host, "table")) {
        return "it is the address of blobs, not of tables";
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0] && is_azure_host(host); i++) {
        if (has_label(host, others[i].label)) {
            return others[i].mistake;
        }
    }
    return NULL;
}

static bool is_secondary(const char *host) {
    static const char suffix[] = "-secondary";
    size_t account = strcspn(host, "."), length = sizeof suffix - 1;
    return account > length && strncasecmp(host + account - length, suffix, length) == 0;
}

static const char *host_mistake(const char *host, bool wants_blobs) {
    const char *service = wants_blobs ? "blob" : "table";
    if (strstr(host, "..") != NULL) {
        return "its host has two dots in a row";
    }
    if (!is_azure_host(host)) {
        return NULL;
    }
    if (begins_with_label(host, service)) {
        return "its host lacks the account's name";
    }
    if (!has_label(host, service)) {
        return wants_blobs ? "its host lacks \".blob.\" after the account's name"
                           : "its host lacks \".table.\" after the account's name";
    }
    if (strcasestr(host, wants_blobs ? ".blob.blob." : ".table.table.") != NULL) {
        return wants_blobs ? "its host has \".blob.\" twice" : "its host has \".table.\" twice";
    }
    return is_secondary(host) ? "it is the account's secondary, which can only be read" : NULL;
}

/*
 * Returns what is wrong with the path. On this machine, for Azurite, the first segment is the
 * account's name. Otherwise there should be no path.
 */
static const char *path_mistake(const struct address_parts *parts, bool wants_blobs) {
    const char *rest = parts->path;
    if (is_this_machine(parts->host)) {
        rest += strspn(rest, "/");
        rest += strcspn(rest, "/?#");
    } else if (!has_label(parts->host, wants_blobs ? "blob" : "table")) {
        return NULL; /* a custom domain or a proxy may have any path */
    }
    rest += strspn(rest, "/");
    if (*rest == '\0' || *rest == '?' || *rest == '#') {
        return NULL;
    }
    return wants_blobs ? "a container follows in it, which has a setting of its own"
                       : "a table follows in it, which has a setting of its own";
}

const char *endpoint_check_mistake(const char *address, const char *service) {
    bool wants_blobs = strcmp(service, "blob") == 0;
    struct address_parts parts = {.path = ""};
    split_address(address, &parts);
    if (strstr(parts.path, "sig=") != NULL) {
        return "a SAS follows in it; in a connection string it stands as SharedAccessSignature=...";
    }
    const char *mistake = service_mistake(parts.host, wants_blobs);
    if (mistake == NULL) {
        mistake = host_mistake(parts.host, wants_blobs);
    }
    return mistake == NULL ? path_mistake(&parts, wants_blobs) : mistake;
}

void endpoint_check_show(const char *address, char out[ENDPOINT_SHOWN_BYTES]) {
    size_t length = strcspn(address, "?#="); /* '=' is in no address, but in a secret beside it */
    if (memchr(address, '@', length) != NULL) {
        snprintf(out, ENDPOINT_SHOWN_BYTES, "an address with user info");
        return;
    }
    snprintf(out, ENDPOINT_SHOWN_BYTES, "%.*s",
             (int)(length < ENDPOINT_SHOWN_BYTES ? length : ENDPOINT_SHOWN_BYTES - 1), address);
    for (char *c = out; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') { /* not ASCII, so not part of an address */
            *c = '?';
        }
    }
}
