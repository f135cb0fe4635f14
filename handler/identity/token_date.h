/*
 * token_date.h - when a token ends, in every form in which an identity endpoint or az is known to write a date.
 *
 * Seen in Azure's SDKs, their issues and documentation, each as a JSON string:
 *   1737298800                            IMDS, App Service 2019-08-01, Service Fabric, Arc, AKS: seconds since 1970
 *   01/19/2025 15:00:00 +00:00            App Service 2017-09-01 on Linux, Azure Machine Learning
 *   1/19/2025 3:00:00 PM +00:00           App Service 2017-09-01 on Windows
 *   2025-01-19T15:00:00+00:00, ...Z       az's and azd's successors, sidecars
 *   2025-01-19 15:00:00.000000            az's expiresOn, in this machine's time zone
 *   Sun, 19 Jan 2025 15:00:00 GMT         what .NET writes with the format "R"
 */
#ifndef IDENTITY_TOKEN_DATE_H
#define IDENTITY_TOKEN_DATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Seconds since 1970. A date without an offset is in this machine's time zone if `is_local`, else UTC.
 * False: no such text; *out_s untouched.
 */
bool token_date_read(const char *text, bool is_local, int64_t *out_s);

#endif
