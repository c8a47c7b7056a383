#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct strbuf;

/*
 * units - sizes, times and numbers as people write and read them.
 */

/**
 * units_parse_number - whole decimal number that fills @text.
 *
 * Return: OK; E_MALFORMED; E_LIMIT at 2^64 and over.
 */
MUST_USE enum err units_parse_number(struct bytes text, uint64_t *ret_number);

/**
 * units_parse_size - bytes that @text names.
 * @text: "4096", "10G", "1.5 GiB", "500MB"; letters of either case.
 *
 * K, M, G, T, P, with or without B, are powers of 1000; with i of 1024.  At
 * most 4 decimals, rounded down.
 *
 * Return: OK; E_MALFORMED; E_LIMIT at 2^64 and over.
 */
MUST_USE enum err units_parse_size(struct bytes text, uint64_t *ret_bytes);

/**
 * units_parse_duration - milliseconds that @text names.
 * @text: "30s", "15m", "1h30m", "250ms"; a bare number is seconds.
 *
 * Units are ms, s, m, h, d.
 *
 * Return: OK; E_MALFORMED; E_LIMIT over 1000 days.
 */
MUST_USE enum err units_parse_duration(struct bytes text, uint64_t *ret_ms);

/** units_exact_size - append @bytes so that units_parse_size() gives the same
 * number: "10GiB", "500MB", "1234". */
void units_exact_size(struct strbuf *out, uint64_t bytes);

/** units_exact_duration - append @ms so that units_parse_duration() gives the
 * same number: "15m", "90s". */
void units_exact_duration(struct strbuf *out, uint64_t ms);

/** units_human_size - append @bytes with one decimal: "1.2 GiB", "17 B". */
void units_human_size(struct strbuf *out, uint64_t bytes);

/** units_human_duration - append @s seconds with two units: "3d 4h", "12s". */
void units_human_duration(struct strbuf *out, uint64_t s);

#endif /* CONFIG_UNITS_H */
