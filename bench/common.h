#ifndef COMMON_H
#define COMMON_H

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/*
 * What the programs of bench/ share.  Each measures one thing, prints one JSON
 * object with its numbers on a line and ends with 0.
 */

enum { DIGEST_BYTES = 32 };

static inline double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail on Linux */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* CPU time of this process (RUSAGE_SELF), or of its ended children. */
static inline double cpu_s(int who)
{
    struct rusage r;

    (void)getrusage(who, &r); /* cannot fail with these arguments */
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

_Noreturn static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

_Noreturn static inline void die_of(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why); /* nobody to tell */
    exit(1);
}

_Noreturn static inline void usage(const char *text)
{
    (void)fprintf(stderr, "usage: %s\n", text); /* nobody to tell */
    exit(2);
}

static inline void *alloc_pages(size_t len)
{
    enum { PAGE = 4096 };
    void *p = NULL;

    if (posix_memalign(&p, PAGE, len) != 0)
        die("posix_memalign");
    return p;
}

static inline size_t parse_size(const char *text)
{
    enum { DECIMAL = 10 };
    char *end;
    unsigned long long n = strtoull(text, &end, DECIMAL);

    if (*text == '\0' || *end != '\0' || n > SIZE_MAX / 2)
        die(text);
    return (size_t)n;
}

static inline void sha256_of(EVP_MD_CTX *ctx, const EVP_MD *md,
                             const uint8_t *p, size_t len,
                             uint8_t digest[static DIGEST_BYTES])
{
    if (EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
        EVP_DigestUpdate(ctx, p, len) != 1 ||
        EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
        die("sha256");
}

#endif /* COMMON_H */
