/*
 * token_date.h - reads the date on which a token ends.
 *
 * Identity endpoints and az write dates in many forms. These were seen in Azure's SDKs, their
 * issues and their documentation, each as a JSON string:
 *
 *   1737298800                       IMDS, App Service 2019-08-01, Service Fabric, Arc, AKS:
 *                                    seconds since 1970
 *   01/19/2025 15:00:00 +00:00       App Service 2017-09-01 on Linux, Azure Machine Learning
 *   1/19/2025 3:00:00 PM +00:00      App Service 2017-09-01 on Windows
 *   2025-01-19T15:00:00+00:00, ...Z  the successors of az and azd, sidecars
 *   2025-01-19 15:00:00.000000       expiresOn of az, in this machine's time zone
 *   Sun, 19 Jan 2025 15:00:00 GMT    .NET's format "R"
 */
#ifndef IDENTITY_TOKEN_DATE_H
#define IDENTITY_TOKEN_DATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads a date as seconds since 1970. A date without an offset is in this machine's time zone if
 * `is_local`, otherwise UTC. Returns false, and leaves *out_s untouched, for any other text.
 */
bool token_date_read(const char *text, bool is_local, int64_t *out_s);

#endif
