/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/uuid.h"

#include <string.h>
#include <sys/random.h>

/* FNV-1a, then the finaliser of SplitMix64 for spread. */
static uint64_t mix(const char *seed, const char *what, uint64_t round)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ round;

	for (; *seed; seed++)
		h = (h ^ (unsigned char)*seed) * 0x100000001b3ULL;
	h = (h ^ 0xff) * 0x100000001b3ULL;
	for (; *what; what++)
		h = (h ^ (unsigned char)*what) * 0x100000001b3ULL;
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ h >> 27) * 0x94d049bb133111ebULL;
	return h ^ h >> 31;
}

int uuid_make(const char *seed, const char *what, char ret[static UUID_TEXT_BYTES])
{
	uint8_t bytes[16];
	uint64_t halves[2];

	if (seed) {
		halves[0] = mix(seed, what, 1);
		halves[1] = mix(seed, what, 2);
		memcpy(bytes, halves, sizeof(bytes));
	} else if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != (ssize_t)sizeof(bytes) &&
		   getrandom(bytes, sizeof(bytes), GRND_INSECURE) != (ssize_t)sizeof(bytes)) {
		return -errno;
	}
	bytes[7] = (uint8_t)((bytes[7] & 0x0f) |
			     0x40); /* version 4; group 3 is little endian on disk */
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	uuid_text(bytes, ret);
	return 0;
}
