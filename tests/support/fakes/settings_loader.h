/*
 * settings_loader.h - app settings loaded from a test's own folder and environment.
 */
#ifndef SUPPORT_SETTINGS_LOADER_H
#define SUPPORT_SETTINGS_LOADER_H

#include "settings/app_settings.h"
#include "support/processes/temp_folder.h"

struct settings_loader {
    struct temp_folder folder; /* for the files; empty at first */
    struct app_settings settings;
    struct error err;
};

void settings_loader_set_up(struct settings_loader *loader);
void settings_loader_tear_down(struct settings_loader *loader);

/*
 * Loads with environment variables, "NAME=value", NULL at the end, in place of what was loaded
 * before.
 */
enum status settings_loader_load(struct settings_loader *loader, const char *const *environment);

/*
 * Fails the test unless that goes well; unless it is refused with exactly this line, with nothing
 * filled.
 */
void settings_loader_expect_ok(struct settings_loader *loader, const char *const *environment);
void settings_loader_expect_refusal(struct settings_loader *loader, const char *line,
                                    const char *const *environment);

/* The environment: each argument a variable. */
#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

#define SIGN_IN "DistributedLeasing:ConnectionString=UseDevelopmentStorage=true"

/* What settings of these kinds say to be allowed. */
#define TEXT_ALLOWED "1 to 1024 characters, none of them a control"
#define ADDRESS_ALLOWED \
    "an https address without a query (http for 127.0.0.1, localhost and ::1 alone), like "

#define IDENTITY "DistributedLeasing:Authentication:ManagedIdentity:"
#define WORKLOAD "DistributedLeasing:Authentication:WorkloadIdentity:"
#define PRINCIPAL "DistributedLeasing:Authentication:ServicePrincipal:"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

#endif
