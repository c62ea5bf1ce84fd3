/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/links.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "block/sysfs.h"

#define DEV_PREFIX	  "/dev/"
#define LINK_FOLLOWED_MAX 8

/* The node that the link "name" in directory means; false: it leads out of /dev. */
static bool read_link_node(int dir, const char *name, const char *directory,
			   char node[static PATH_MAX])
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return sysfs_resolve(directory, target, node, PATH_MAX) == 0 &&
	       text_starts_with(node, DEV_PREFIX) && text_is_utf8(node, strlen(node));
}

static int add_link(struct dev_links *links, const char *directory, const char *name,
		    const char *node)
{
	if ((links->n_links & (links->n_links - 1)) == 0) {
		size_t room = links->n_links ? links->n_links * 2 : 1;
		struct dev_link *larger = realloc(links->links, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		links->links = larger;
	}
	struct dev_link *link = &links->links[links->n_links];
	link->name = path_join(directory, name);
	link->node = strdup(node);
	if (!link->name || !link->node) {
		free(link->name);
		free(link->node);
		return -ENOMEM;
	}
	links->n_links++;
	return 0;
}

static int read_directory(int parent, const char *name, const char *path, unsigned depth,
			  struct dev_links *links);

static int read_entry(int dir, const struct dirent *entry, const char *directory, unsigned depth,
		      struct dev_links *links)
{
	char node[PATH_MAX];

	if (entry->d_name[0] == '.' || !text_is_utf8(entry->d_name, strlen(entry->d_name)))
		return 0;
	if (read_link_node(dir, entry->d_name, directory, node))
		return add_link(links, directory, entry->d_name, node);
	if (depth >= LINKS_DEPTH_MAX)
		return 0;
	_cleanup_free_ char *below = path_join(directory, entry->d_name);
	return below ? read_directory(dir, entry->d_name, below, depth + 1, links) : -ENOMEM;
}

static int read_directory(int parent, const char *name, const char *path, unsigned depth,
			  struct dev_links *links)
{
	_cleanup_closedir_ DIR *dir = opendir_at(parent, name, O_NOFOLLOW);
	int r = 0;

	if (!dir)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (struct dirent *e = readdir(dir); e && r == 0; e = readdir(dir)) {
		if (links->n_links >= LINKS_MAX)
			break;
		r = read_entry(dirfd(dir), e, path, depth, links);
	}
	return r;
}

static int compare_links(const void *a, const void *b)
{
	const struct dev_link *x = a, *y = b;
	int order = strcmp(x->node, y->node);

	return order ? order : strcmp(x->name, y->name);
}

int dev_links_read(int root, struct dev_links *ret)
{
	struct dev_links links = { 0 };
	int r = read_directory(root, "dev/disk", "/dev/disk", 0, &links);

	if (r < 0) {
		dev_links_done(&links);
		return r;
	}
	if (links.n_links)
		qsort(links.links, links.n_links, sizeof(*links.links), compare_links);
	*ret = links;
	return 0;
}

void dev_links_done(struct dev_links *links)
{
	for (size_t i = 0; i < links->n_links; i++) {
		free(links->links[i].name);
		free(links->links[i].node);
	}
	free(links->links);
	*links = (struct dev_links){ 0 };
}

const struct dev_link *dev_links_of(const struct dev_links *links, const char *node, size_t *ret_n)
{
	size_t low = 0, high = links->n_links;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(links->links[middle].node, node) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (high < links->n_links && strcmp(links->links[high].node, node) == 0)
		high++;
	*ret_n = high - low;
	return links->links ? links->links + low : NULL;
}

char *dev_node_of(int root, const char *dev_path)
{
	char node[PATH_MAX];

	if (sysfs_resolve("/", dev_path, node, sizeof(node)) < 0)
		return NULL;
	for (unsigned i = 0; i < LINK_FOLLOWED_MAX && text_starts_with(node, DEV_PREFIX); i++) {
		char directory[PATH_MAX], next[PATH_MAX];
		size_t length = (size_t)(sysfs_base_name(node) - node);
		memcpy(directory, node, length);
		directory[length] = '\0';
		if (!read_link_node(root, node + 1, directory, next))
			return strdup(node);
		strcpy(node, next);
	}
	return NULL;
}

char *dev_link_encode(const char *label)
{
	static const char hex[] = "0123456789abcdef";
	char *encoded = malloc(strlen(label) * 4 + 1), *out = encoded;

	if (!encoded)
		return NULL;
	for (; *label; label++) {
		unsigned char c = (unsigned char)*label;
		if (isalnum(c) || c >= 0x80 || strchr("#+-.:=@_", c)) {
			*out++ = (char)c;
		} else {
			*out++ = '\\';
			*out++ = 'x';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
	}
	*out = '\0';
	return encoded;
}
