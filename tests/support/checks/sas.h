/*
 * sas.h - account SAS tokens for Azurite's account, as the portal makes them.
 *
 * Source: "Create an account SAS".
 */
#ifndef SUPPORT_SAS_H
#define SUPPORT_SAS_H

#include <stdint.h>

enum { SAS_BYTES = 512 };

/*
 * Writes "sv=...&sig=..." (no '?') for blobs and tables with every permission, good for
 * `lifetime_s` seconds from now.
 */
void sas_write(int64_t lifetime_s, char out[SAS_BYTES]);

#endif
