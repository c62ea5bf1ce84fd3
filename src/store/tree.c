/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/tree.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "store/reference.h"

static int checked_length(int n)
{
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int tree_blob_path(const struct digest *d, char buffer[static PATH_MAX])
{
	char name[DIGEST_STRING_MAX];

	if (d->algorithm == DIGEST_NONE)
		return -EINVAL;
	return checked_length(
		snprintf(buffer, PATH_MAX, NAME_BLOB_DIR "/%s", digest_format_file_name(d, name)));
}

static int manifests_path(const char *registry, const char *repository, const char *kind,
			  const char *name, char buffer[static PATH_MAX])
{
	char dir[NAME_MAX + 1];
	int r = tree_registry_to_dir(registry, dir);

	if (r < 0)
		return r;
	if (!repository_is_valid(repository))
		return -EINVAL;
	return checked_length(snprintf(buffer, PATH_MAX, NAME_MANIFESTS_DIR "/%s/%s/%s/%s", dir,
				       repository, kind, name));
}

int tree_manifest_path(const char *registry, const char *repository, const struct digest *d,
		       char buffer[static PATH_MAX])
{
	char name[DIGEST_STRING_MAX];

	if (d->algorithm == DIGEST_NONE)
		return -EINVAL;
	return manifests_path(registry, repository, NAME_DIGEST_DIR,
			      digest_format_file_name(d, name), buffer);
}

int tree_tag_path(const char *registry, const char *repository, const char *tag,
		  char buffer[static PATH_MAX])
{
	if (!tag_is_valid(tag))
		return -EINVAL;
	return manifests_path(registry, repository, NAME_REFERENCE_DIR, tag, buffer);
}

int tree_registry_to_dir(const char *registry, char buffer[static NAME_MAX + 1])
{
	const char *colon = strrchr(registry, ':');
	int n;

	if (!registry_is_valid(registry))
		return -EINVAL;
	if (colon && !strchr(colon, ']'))
		n = snprintf(buffer, NAME_MAX + 1, "%.*s_%s_", (int)(colon - registry), registry,
			     colon + 1);
	else
		n = snprintf(buffer, NAME_MAX + 1, "%s", registry);
	return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* "host_5000_": the length of "host", or 0 if there is no port. */
static size_t host_before_port(const char *dir)
{
	size_t n = strlen(dir);

	if (n < 4 || dir[n - 1] != '_')
		return 0;
	size_t at = n - 1;
	while (at > 0 && isdigit((unsigned char)dir[at - 1]))
		at--;
	return at < n - 1 && at > 1 && dir[at - 1] == '_' ? at - 1 : 0;
}

int tree_registry_from_dir(const char *dir, char buffer[static NAME_MAX + 1])
{
	char registry[NAME_MAX + 1];
	size_t n = strlen(dir), host = host_before_port(dir);

	if (n > NAME_MAX)
		return -EINVAL;
	if (host)
		snprintf(registry, sizeof(registry), "%.*s:%.*s", (int)host, dir,
			 (int)(n - host - 2), dir + host + 1);
	else
		memcpy(registry, dir, n + 1);
	/* A colon in the name itself would be a second spelling of the same registry. */
	if (!registry_is_valid(registry) || (!host && *dir != '[' && strchr(dir, ':')))
		return -EINVAL;
	memcpy(buffer, registry, strlen(registry) + 1);
	return 0;
}

bool tree_is_there(int dir)
{
	struct stat st;

	return (fstatat(dir, NAME_BLOB_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode)) ||
	       (fstatat(dir, NAME_MANIFESTS_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode));
}

bool layout_is_there(int dir)
{
	struct stat st;

	return fstatat(dir, LAYOUT_MARKER_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}
