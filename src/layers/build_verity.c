/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/build_verity.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"

#define UUID_TEXT_MAX 37

/* A UUID of version 8 (RFC 9562: what its maker likes), from the digest. */
static void make_uuid(const struct digest *digest, char ret[static UUID_TEXT_MAX])
{
	uint8_t b[16];

	memcpy(b, digest->bytes, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x80;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(ret, UUID_TEXT_MAX,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
}

static int make_tree(const char *image, const struct digest *digest,
		     char ret_root_hash[static VERITY_ROOT_TEXT_MAX], struct diag *diag)
{
	_cleanup_free_ char *tree = text_format("%s" NAME_LAYER_TREE_SUFFIX, image);
	char uuid[UUID_TEXT_MAX];

	if (!tree)
		return -ENOMEM;
	make_uuid(digest, uuid);
	int r = verity_create(image, tree, digest->bytes, uuid, ret_root_hash, diag);
	if (r < 0)
		return r;
	_cleanup_close_ int fd = open(tree, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return diag_set(diag, -errno, "%s: %s", tree, strerror(errno));
	return 0;
}

int tree_build(const char *image, const struct digest *digest,
	       char ret_root_hash[static VERITY_ROOT_TEXT_MAX], struct diag *diag)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	int r = make_tree(image, digest, ret_root_hash, diag);

	if (r < 0)
		return r;
	path = text_format("%s" NAME_LAYER_ROOT_SUFFIX, image);
	text = text_format("%s\n", ret_root_hash);
	if (!path || !text)
		return -ENOMEM;
	r = write_file_durable_at(AT_FDCWD, path, text, strlen(text), 0644);
	return r < 0 ? diag_set(diag, r, "%s: %s", path, strerror(-r)) : 0;
}
