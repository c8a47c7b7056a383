#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include "api/api.h"
#include "base/list.h"
#include "env/http.h"

/* The API of one node; a second listener may share it. */
struct api {
    struct api_config config;
    struct http_server server;
    struct list requests;
};

#endif /* API_API_PRIV_H */
