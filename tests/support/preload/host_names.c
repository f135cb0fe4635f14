/*
 * host_names.c - names of hosts for a program that has this library in LD_PRELOAD: storage.test is
 * this machine. All other names are left to the system.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

/* The system's declaration has reserved names. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out) {
    int (*find)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&find = dlsym(RTLD_NEXT, "getaddrinfo");
    int is_here = name != NULL && strcmp(name, "storage.test") == 0;
    return find(is_here ? "127.0.0.1" : name, service, hints, out);
}
