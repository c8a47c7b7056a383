#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include <stddef.h>

#include "api/api.h"
#include "base/list.h"
#include "env/http.h"

/* The API of one node; a second listener may share it. */
struct api {
    struct api_config config;
    struct http_server server;
    struct list requests;
    size_t upkeep_waiting; /* requests that wait for another gc or check */
};

#endif /* API_API_PRIV_H */
