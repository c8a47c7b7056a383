#ifndef API_SETTINGS_JSON_H
#define API_SETTINGS_JSON_H

#include <jansson.h>

struct config;

/** json_settings - all settings with values and sources, as GET /config has
 * them. */
json_t *json_settings(const struct config *c);

#endif /* API_SETTINGS_JSON_H */
