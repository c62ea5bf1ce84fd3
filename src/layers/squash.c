/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/squash.h"

#include <errno.h>
#include <sqfs/compressor.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define STORED_AS_IT_IS (1U << 24) /* in the size of a block */
#define NO_FRAGMENT	UINT32_MAX
#define NO_XATTR	UINT32_MAX
#define NO_TABLE	UINT64_MAX
/* Of one file. libsquashfs takes a copy of their sizes on its stack. */
#define BLOCKS_MAX	(1U << 20)
#define IMAGE_ALIGNMENT 4096 /* a loop device has whole sectors only */
#define MODE_FILE	0444
#define MODE_DIRECTORY	0755

struct file {
	uint64_t size, start;
	uint32_t links, number;
	uint64_t inode; /* where it is in the table of inodes: block << 16 | offset */
};

struct name {
	char *path;
	char *target; /* the path of the file that it is one more name of; NULL: a name of its own */
	size_t file;
};

struct squash {
	uint32_t block_size, time;
	struct file *files;
	size_t n_files, files_room;
	struct name *names;
	size_t n_names, names_room;
};

/* A file in memory, of which the first byte lies at start of the image. */
struct buffer {
	sqfs_file_t file;
	uint64_t start;
	char *data;
	size_t size, room;
};

/* What is laid out. */
struct layout {
	struct squash *squash;
	struct buffer head, tail;
	sqfs_super_t super;
	sqfs_compressor_t *compressor;
	sqfs_meta_writer_t *inodes, *directories;
	sqfs_dir_writer_t *writer;
	sqfs_id_table_t *ids;
	uint32_t last_inode;
};

void squash_parts_done(struct squash_parts *p)
{
	free(p->head);
	free(p->tail);
	*p = (struct squash_parts){ 0 };
}

int squash_new(uint32_t block_size, int64_t time, struct squash **ret)
{
	if (time < 0 || time > UINT32_MAX)
		return -ERANGE;
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->block_size = block_size;
	(*ret)->time = (uint32_t)time;
	return 0;
}

void squash_free(struct squash *s)
{
	for (size_t i = 0; i < s->n_names; i++) {
		free(s->names[i].path);
		free(s->names[i].target);
	}
	free(s->names);
	free(s->files);
	free(s);
}

/* Room for one element more. */
static int grow(void **list, size_t n, size_t *room, size_t element)
{
	if (n < *room)
		return 0;
	size_t more = *room ? 2 * *room : 64;
	void *larger = reallocarray(*list, more, element);
	if (!larger)
		return -ENOMEM;
	*list = larger;
	*room = more;
	return 0;
}

static int add_name(struct squash *s, const char *path, struct name **ret)
{
	int r = grow((void **)&s->names, s->n_names, &s->names_room, sizeof(struct name));
	char *copy = r == 0 ? strdup(path) : NULL;

	if (!copy)
		return -ENOMEM;
	*ret = &s->names[s->n_names++];
	**ret = (struct name){ .path = copy };
	return 0;
}

int squash_add_file(struct squash *s, const char *path, uint64_t size)
{
	struct name *name;
	int r = grow((void **)&s->files, s->n_files, &s->files_room, sizeof(struct file));

	if (r == 0)
		r = add_name(s, path, &name);
	if (r < 0)
		return r;
	name->file = s->n_files;
	s->files[s->n_files++] = (struct file){ .size = size, .links = 1 };
	return 0;
}

int squash_add_link(struct squash *s, const char *path, const char *file)
{
	struct name *name;
	int r = add_name(s, path, &name);

	if (r < 0)
		return r;
	name->target = strdup(file);
	return name->target ? 0 : -ENOMEM;
}

/*
 * So that what is below a directory comes in one piece, and the names of each in the order in which the format has them: '/' before all
 * else.
 */
static int compare_names(const void *a, const void *b)
{
	const unsigned char *x = (const unsigned char *)((const struct name *)a)->path;
	const unsigned char *y = (const unsigned char *)((const struct name *)b)->path;

	while (*x && *x == *y)
		x++, y++;
	return (*x == '/' ? 1 : *x) - (*y == '/' ? 1 : *y);
}

static int resolve_links(struct squash *s)
{
	if (s->n_names > 1)
		qsort(s->names, s->n_names, sizeof(struct name), compare_names);
	for (size_t i = 0; i < s->n_names; i++) {
		const struct name wanted = { .path = s->names[i].target };
		if (!wanted.path)
			continue;
		const struct name *found =
			bsearch(&wanted, s->names, s->n_names, sizeof(struct name), compare_names);
		if (!found || found->target)
			return -ENOENT;
		s->names[i].file = found->file;
		s->files[found->file].links++;
	}
	return 0;
}

static struct buffer *buffer_of(const sqfs_file_t *file)
{
	return (struct buffer *)file; /* its first member */
}

static int buffer_write(sqfs_file_t *file, sqfs_u64 offset, const void *data, size_t size)
{
	struct buffer *b = buffer_of(file);

	if (offset != b->start + b->size)
		return SQFS_ERROR_OUT_OF_BOUNDS;
	while (b->room - b->size < size) {
		int r = grow((void **)&b->data, b->room, &b->room, 1);
		if (r < 0)
			return SQFS_ERROR_ALLOC;
	}
	memcpy(b->data + b->size, data, size);
	b->size += size;
	return 0;
}

static int buffer_read(sqfs_file_t *file, sqfs_u64 offset, void *data, size_t size)
{
	struct buffer *b = buffer_of(file);

	if (offset < b->start || offset - b->start > b->size ||
	    size > b->size - (offset - b->start))
		return SQFS_ERROR_OUT_OF_BOUNDS;
	memcpy(data, b->data + (offset - b->start), size);
	return 0;
}

static sqfs_u64 buffer_size(const sqfs_file_t *file)
{
	return buffer_of(file)->start + buffer_of(file)->size;
}

static int buffer_truncate(sqfs_file_t *file, sqfs_u64 size)
{
	(void)file;
	(void)size;
	return SQFS_ERROR_UNSUPPORTED;
}

static void buffer_init(struct buffer *b, uint64_t start)
{
	*b = (struct buffer){
		.file = { .read_at = buffer_read,
			  .write_at = buffer_write,
			  .get_size = buffer_size,
			  .truncate = buffer_truncate },
		.start = start,
	};
}

static int error_of(int sqfs)
{
	switch (sqfs) {
	case 0:
		return 0;
	case SQFS_ERROR_ALLOC:
		return -ENOMEM;
	case SQFS_ERROR_OVERFLOW:
	case SQFS_ERROR_OUT_OF_BOUNDS:
		return -EOVERFLOW;
	default:
		return -EINVAL;
	}
}

/* Of the inode that is written next. */
static uint64_t next_inode(const struct layout *l)
{
	sqfs_u64 block;
	sqfs_u32 offset;

	sqfs_meta_writer_get_position(l->inodes, &block, &offset);
	return block << 16 | offset;
}

static void describe_file(const struct file *f, sqfs_inode_generic_t *inode)
{
	/* The short form has no number of links, and 32 bits for sizes and places. */
	if (f->links == 1 && f->size <= UINT32_MAX && f->start <= UINT32_MAX) {
		inode->base.type = SQFS_INODE_FILE;
		inode->data.file = (sqfs_inode_file_t){
			.blocks_start = (sqfs_u32)f->start,
			.fragment_index = NO_FRAGMENT,
			.file_size = (sqfs_u32)f->size,
		};
	} else {
		inode->base.type = SQFS_INODE_EXT_FILE;
		inode->data.file_ext = (sqfs_inode_file_ext_t){
			.blocks_start = f->start,
			.file_size = f->size,
			.nlink = f->links,
			.fragment_idx = NO_FRAGMENT,
			.xattr_idx = NO_XATTR,
		};
	}
}

static int write_inode(struct layout *l, sqfs_inode_generic_t *inode, uint32_t number,
		       unsigned mode)
{
	inode->base.mode = (sqfs_u16)mode;
	inode->base.mod_time = l->squash->time;
	inode->base.inode_number = number;
	return error_of(sqfs_meta_writer_write_inode(l->inodes, inode));
}

static int write_file(struct layout *l, size_t number)
{
	struct file *f = &l->squash->files[number];
	uint32_t block_size = l->squash->block_size;
	uint64_t n = f->size / block_size + (f->size % block_size != 0);

	if (n > BLOCKS_MAX)
		return -EOVERFLOW;
	sqfs_inode_generic_t *inode = calloc(1, sizeof(*inode) + n * sizeof(sqfs_u32));
	if (!inode)
		return -ENOMEM;
	inode->payload_bytes_available = inode->payload_bytes_used =
		(sqfs_u32)(n * sizeof(sqfs_u32));
	for (uint64_t i = 0; i < n; i++)
		inode->extra[i] = STORED_AS_IT_IS | block_size;
	if (f->size % block_size != 0)
		inode->extra[n - 1] = STORED_AS_IT_IS | (sqfs_u32)(f->size % block_size);
	describe_file(f, inode);
	f->inode = next_inode(l);
	f->number = ++l->last_inode;
	int r = write_inode(l, inode, f->number, MODE_FILE);
	free(inode);
	return r;
}

/* Directories in a directory, in the order of their names. */
struct children {
	struct child {
		uint64_t inode;
		uint32_t number;
	} * list;
	size_t n, room;
};

static void children_done(struct children *c)
{
	free(c->list);
}

/* The names from first to end (not included) that lie in one directory; their paths are equal up to prefix. */
struct range {
	const struct name *names;
	size_t first, end, prefix;
};

/* How many of them, from i on, have the same name in that directory: more than one for a directory, whose name is *ret_size long. */
static size_t count_same(const struct range *r, size_t i, size_t *ret_size)
{
	const char *name = r->names[i].path + r->prefix;
	size_t size = *ret_size = strcspn(name, "/"), n = 1;

	if (name[size] == '/')
		while (i + n < r->end &&
		       memcmp(r->names[i + n].path + r->prefix, name, size + 1) == 0)
			n++;
	return n;
}

static bool is_directory(const struct range *r, size_t i, size_t size)
{
	return r->names[i].path[r->prefix + size] == '/';
}

/* Is the name before it, of a file, the same? */
static bool is_twice(const struct range *r, size_t i, size_t size)
{
	const char *name = r->names[i].path + r->prefix;
	const char *before = i > r->first ? r->names[i - 1].path + r->prefix : "";

	return i > r->first && strncmp(before, name, size) == 0 && before[size] == '\0';
}

static int write_directory_inode(struct layout *l, size_t n_directories, uint32_t number,
				 uint32_t parent, uint64_t *ret)
{
	sqfs_inode_generic_t *inode = sqfs_dir_writer_create_inode(l->writer, 0, NO_XATTR, parent);

	if (!inode)
		return -ENOMEM;
	/* Its two names, and ".." of each directory in it. */
	uint32_t links = (uint32_t)n_directories + 2;
	if (inode->base.type == SQFS_INODE_EXT_DIR)
		inode->data.dir_ext.nlink = links;
	else
		inode->data.dir.nlink = links;
	*ret = next_inode(l);
	int r = write_inode(l, inode, number, MODE_DIRECTORY);
	free(inode);
	return r;
}

static int write_entry(struct layout *l, const struct range *range, size_t i, size_t size,
		       const struct child *child)
{
	const char *path = range->names[i].path + range->prefix;

	if (!child) {
		const struct file *f = &l->squash->files[range->names[i].file];
		return error_of(sqfs_dir_writer_add_entry(l->writer, path, f->number, f->inode,
							  SQFS_INODE_MODE_REG));
	}
	_cleanup_free_ char *name = strndup(path, size);
	return name ? error_of(sqfs_dir_writer_add_entry(l->writer, name, child->number,
							 child->inode, SQFS_INODE_MODE_DIR))
		    : -ENOMEM;
}

static int write_entries(struct layout *l, const struct range *range,
			 const struct children *children)
{
	int r = error_of(sqfs_dir_writer_begin(l->writer, 0));
	size_t directories = 0;

	for (size_t i = range->first, size, n; r == 0 && i < range->end; i += n) {
		n = count_same(range, i, &size);
		r = write_entry(l, range, i, size,
				is_directory(range, i, size) ? &children->list[directories++]
							     : NULL);
	}
	return r == 0 ? error_of(sqfs_dir_writer_end(l->writer)) : r;
}

/*
 * A directory, and all below it. It comes after what it holds, since it says where that is.
 */
static int write_directory(struct layout *l, const struct range *range, uint32_t parent,
			   struct child *ret)
{
	_cleanup_(children_done) struct children children = { 0 };
	uint32_t number = ++l->last_inode;
	int r = 0;

	if (range->prefix == 0)
		parent = number; /* nothing is above the root */
	for (size_t i = range->first, size, n; r == 0 && i < range->end; i += n) {
		n = count_same(range, i, &size);
		if (is_twice(range, i, size))
			return -EEXIST;
		if (!is_directory(range, i, size))
			continue;
		const struct range below = { range->names, i, i + n, range->prefix + size + 1 };
		r = grow((void **)&children.list, children.n, &children.room, sizeof(struct child));
		if (r == 0)
			r = write_directory(l, &below, number, &children.list[children.n++]);
	}
	if (r == 0)
		r = write_entries(l, range, &children);
	ret->number = number;
	return r < 0 ? r : write_directory_inode(l, children.n, number, parent, &ret->inode);
}

static int layout_begin(struct layout *l)
{
	sqfs_compressor_config_t config;
	uint64_t at = sizeof(sqfs_super_t);
	int r = sqfs_super_init(&l->super, l->squash->block_size, l->squash->time, SQFS_COMP_GZIP);

	for (size_t i = 0; i < l->squash->n_files; i++) {
		struct file *f = &l->squash->files[i];
		f->start = f->size > 0 ? at : 0;
		if (__builtin_add_overflow(at, f->size, &at) || at > INT64_MAX)
			return -EOVERFLOW;
	}
	buffer_init(&l->head, 0);
	buffer_init(&l->tail, at);
	if (r == 0)
		r = sqfs_compressor_config_init(&config, SQFS_COMP_GZIP, l->squash->block_size, 0);
	if (r == 0)
		r = sqfs_compressor_create(&config, &l->compressor);
	if (r != 0)
		return error_of(r);
	l->inodes = sqfs_meta_writer_create(&l->tail.file, l->compressor, 0);
	l->directories = sqfs_meta_writer_create(&l->tail.file, l->compressor,
						 SQFS_META_WRITER_KEEP_IN_MEMORY);
	if (!l->inodes || !l->directories)
		return -ENOMEM;
	l->writer = sqfs_dir_writer_create(l->directories, SQFS_DIR_WRITER_CREATE_EXPORT_TABLE);
	l->ids = sqfs_id_table_create(0);
	return l->writer && l->ids ? 0 : -ENOMEM;
}

static void layout_done(struct layout *l)
{
	sqfs_destroy(l->ids);
	sqfs_destroy(l->writer);
	sqfs_destroy(l->directories);
	sqfs_destroy(l->inodes);
	sqfs_destroy(l->compressor);
	free(l->head.data);
	free(l->tail.data);
}

/* Inodes, directories, where each inode is, users: in the order that the format asks for. */
static int write_tables(struct layout *l)
{
	struct squash *s = l->squash;
	sqfs_u16 root_id;
	const struct range all = { s->names, 0, s->n_names, 0 };
	struct child root;
	int r = error_of(sqfs_id_table_id_to_index(l->ids, 0, &root_id));

	l->super.inode_table_start = buffer_size(&l->tail.file);
	/*
	 * In the order of their names: a directory says once for all entries that follow one another where their inodes are, and whoever looks
	 * up a name reads all that it says so.
	 */
	for (size_t i = 0; r == 0 && i < s->n_names; i++)
		if (!s->names[i].target)
			r = write_file(l, s->names[i].file);
	if (r == 0)
		r = write_directory(l, &all, 0, &root);
	if (r < 0)
		return r;
	l->super.root_inode_ref = root.inode;
	l->super.inode_count = l->last_inode;
	l->super.flags = SQFS_FLAG_UNCOMPRESSED_DATA | SQFS_FLAG_UNCOMPRESSED_FRAGMENTS |
			 SQFS_FLAG_NO_FRAGMENTS | SQFS_FLAG_NO_XATTRS;
	l->super.fragment_table_start = l->super.xattr_id_table_start = NO_TABLE;
	r = sqfs_meta_writer_flush(l->inodes);
	l->super.directory_table_start = buffer_size(&l->tail.file);
	if (r == 0)
		r = sqfs_meta_writer_flush(l->directories);
	if (r == 0)
		r = sqfs_meta_write_write_to_file(l->directories);
	if (r == 0)
		r = sqfs_dir_writer_write_export_table(l->writer, &l->tail.file, l->compressor,
						       root.number, l->super.root_inode_ref,
						       &l->super);
	if (r == 0)
		r = sqfs_id_table_write(l->ids, &l->tail.file, &l->super, l->compressor);
	return error_of(r);
}

static int finish(struct layout *l)
{
	static const char zeros[IMAGE_ALIGNMENT];
	uint64_t end = buffer_size(&l->tail.file);

	l->super.bytes_used = end;
	int r = buffer_write(&l->tail.file, end, zeros, (size_t)(-end % IMAGE_ALIGNMENT));
	if (r == 0)
		r = sqfs_super_write(&l->super, &l->head.file);
	return error_of(r);
}

int squash_lay_out(struct squash *s, struct squash_parts *ret)
{
	_cleanup_(layout_done) struct layout l = { .squash = s };

	int r = resolve_links(s);
	if (r == 0)
		r = layout_begin(&l);
	if (r == 0)
		r = write_tables(&l);
	if (r == 0)
		r = finish(&l);
	if (r < 0)
		return r;
	*ret = (struct squash_parts){
		.head = TAKE_PTR(l.head.data),
		.head_size = l.head.size,
		.tail = TAKE_PTR(l.tail.data),
		.tail_size = l.tail.size,
		.data_size = l.tail.start - l.head.size,
	};
	return 0;
}
