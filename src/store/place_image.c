/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place that is a squashfs image, read through libsquashfuse: for machines that cannot mount it. The one file that
 * includes its headers, which bring a config.h of their own. Its caches are not made for threads, so a lock is around them.
 */
#include "store/place_kind.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#undef PACKAGE
#undef PACKAGE_BUGREPORT
#undef PACKAGE_NAME
#undef PACKAGE_STRING
#undef PACKAGE_TARNAME
#undef PACKAGE_URL
#undef PACKAGE_VERSION
#undef VERSION
#include <squashfuse/squashfuse.h>

struct image {
	struct place place;
	int fd;
	pthread_mutex_t lock;
	/* Under the lock: */
	struct stat st;	 /* of the file when it was opened last */
	unsigned opened; /* how often; what was found out at another time does not fit */
	sqfs fs;
	bool open; /* false: what the file holds now is no image */
};

/* A file of the image while it is read. */
struct image_file {
	sqfs_inode inode;
	unsigned opened;
};

static struct image *image_of(struct place *place)
{
	return (struct image *)place;
}

static sqfs_err open_now(struct image *image)
{
	if (image->open)
		sqfs_destroy(&image->fs);
	image->opened++;
	sqfs_err err = sqfs_init(&image->fs, image->fd, 0);
	image->open = err == SQFS_OK;
	return err;
}

/*
 * Before every look into the image, under the lock. The library keeps tables and blocks that it has read, so a file that was written
 * to is opened anew.
 */
static int look_at_file(struct image *image)
{
	struct content_id before;
	struct stat now;

	if (fstat(image->fd, &now) < 0)
		return -errno;
	content_id_set(&before, &image->st);
	if (!file_holds(&before, &now)) {
		image->st = now;
		(void)open_now(image);
	}
	return image->open ? 0 : -EIO;
}

/* An entry of a directory says in 16 bits how long its name is, less one, and the library (0.1.104) writes that many bytes. */
#define ENTRY_NAME_ROOM (65536 + 1)

/*
 * The library takes where an inode, a directory or a fragment begins from the image, and reads there without asking whether the
 * block is that long. So it is asked here before. In its caches 0 says that nothing is there, which it would find for a block at 0.
 */
static bool can_begin_at(uint64_t block)
{
	return block >= sizeof(struct squashfs_super_block);
}

static bool is_inside(struct image *image, uint64_t block, size_t offset)
{
	sqfs_off_t at = (sqfs_off_t)block;
	sqfs_block *data;

	return can_begin_at(block) && block < (uint64_t)image->st.st_size &&
	       sqfs_md_cache(&image->fs, &at, &data) == SQFS_OK && offset < data->size;
}

static int get_inode(struct image *image, sqfs_inode_id id, sqfs_inode *ret)
{
	if (!is_inside(image, image->fs.sb.inode_table_start + (id >> 16), id & 0xffff) ||
	    sqfs_inode_get(&image->fs, ret, id) != SQFS_OK)
		return -EIO;
	return 0;
}

static bool directory_is_inside(struct image *image, const sqfs_inode *inode)
{
	return inode->xtra.dir.dir_size <= 3 || /* empty */
	       is_inside(image, image->fs.sb.directory_table_start + inode->xtra.dir.start_block,
			 inode->xtra.dir.offset);
}

static int compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

	return order ? order : (a_size > b_size) - (a_size < b_size);
}

/*
 * Makes a directory begin where its index says that the name can be: of a large one, a block is searched instead of all. The library would
 * do so itself, but it trusts the lengths of the names in the index.
 */
static int skip_to(struct image *image, sqfs_inode *inode, const char *name, size_t size)
{
	sqfs_md_cursor at = inode->next;
	struct squashfs_dir_index entry;
	char first[SQUASHFS_NAME_LEN];
	uint32_t skipped = 0;

	for (unsigned n = inode->xtra.dir.idx_count; n > 0; n--) {
		if (sqfs_md_read(&image->fs, &at, &entry, sizeof(entry)) != SQFS_OK ||
		    le32toh(entry.size) >= sizeof(first) ||
		    sqfs_md_read(&image->fs, &at, first, le32toh(entry.size) + 1) != SQFS_OK ||
		    le32toh(entry.index) >= inode->xtra.dir.dir_size)
			return -EIO;
		if (compare_names(first, le32toh(entry.size) + 1, name, size) > 0)
			break;
		skipped = le32toh(entry.index);
		inode->xtra.dir.start_block = le32toh(entry.start_block);
	}
	inode->xtra.dir.offset =
		(uint16_t)((inode->xtra.dir.offset + skipped) % SQUASHFS_METADATA_SIZE);
	inode->xtra.dir.dir_size -= skipped;
	inode->xtra.dir.idx_count = 0;
	return 0;
}

/* One step down; inode is replaced. */
static int descend(struct image *image, sqfs_inode *inode, const char *name, size_t size)
{
	sqfs_dir_entry entry;
	char buffer[ENTRY_NAME_ROOM];
	bool found = false;

	if (!S_ISDIR(inode->base.mode))
		return -ENOENT;
	int r = skip_to(image, inode, name, size);
	if (r < 0)
		return r;
	if (!directory_is_inside(image, inode))
		return -EIO;
	sqfs_dentry_init(&entry, buffer);
	if (sqfs_dir_lookup(&image->fs, inode, name, size, &entry, &found) != SQFS_OK)
		return -EIO;
	return found ? get_inode(image, sqfs_dentry_inode(&entry), inode) : -ENOENT;
}

/* -ENOENT: there is nothing of this name; -EIO: the image is damaged. */
static int look_up(struct image *image, const char *path, sqfs_inode *ret)
{
	int r = look_at_file(image);

	if (r == 0)
		r = get_inode(image, sqfs_inode_root(&image->fs), ret);
	while (r == 0 && *path) {
		size_t size = strcspn(path, "/");
		r = descend(image, ret, path, size);
		path += size;
		path += strspn(path, "/");
	}
	return r;
}

/* The tail of a file in a fragment block, unless it lies outside of that block. */
static bool fragment_is_inside(struct image *image, sqfs_inode *inode)
{
	uint64_t at = (uint64_t)inode->xtra.reg.frag_idx * sizeof(struct squashfs_fragment_entry);
	struct squashfs_fragment_entry entry;
	size_t offset, size;
	sqfs_block *data;

	if (inode->xtra.reg.frag_idx == SQUASHFS_INVALID_FRAG)
		return true;
	if (inode->xtra.reg.frag_idx >= image->fs.sb.fragments || !image->fs.frag_table.blocks ||
	    !is_inside(image, image->fs.frag_table.blocks[at / SQUASHFS_METADATA_SIZE],
		       at % SQUASHFS_METADATA_SIZE))
		return false;
	return sqfs_frag_entry(&image->fs, &entry, inode->xtra.reg.frag_idx) == SQFS_OK &&
	       can_begin_at(entry.start_block) &&
	       sqfs_frag_block(&image->fs, inode, &offset, &size, &data) == SQFS_OK &&
	       offset <= data->size && size <= data->size - offset;
}

/* An inode of a squashfs image has 32 bits, and mounted it has the same number. */
static void set_id(const struct image *image, const sqfs_inode *inode, struct content_id *ret)
{
	content_id_set(ret, &image->st);
	ret->image = image->st.st_ino;
	ret->inode = inode->base.inode_number;
	ret->size = inode->xtra.reg.file_size;
	place_identify(&image->place, ret);
}

static int look_up_file(struct image *image, const char *path, sqfs_inode *ret)
{
	int r = look_up(image, path, ret);

	return r == 0 && !S_ISREG(ret->base.mode) ? -ENOENT : r;
}

static int image_stat(struct place *place, const char *path, struct content_id *ret)
{
	struct image *image = image_of(place);
	sqfs_inode inode;

	pthread_mutex_lock(&image->lock);
	int r = look_up_file(image, path, &inode);
	if (r == 0)
		set_id(image, &inode, ret);
	pthread_mutex_unlock(&image->lock);
	return r;
}

/* A small file that lies whole in a fragment block which is stored as it is. */
static bool fragment_extent(struct image *image, const sqfs_inode *inode, uint64_t *ret_offset)
{
	struct squashfs_fragment_entry entry;
	bool compressed;
	uint32_t size;

	if (sqfs_frag_entry(&image->fs, &entry, inode->xtra.reg.frag_idx) != SQFS_OK)
		return false;
	sqfs_data_header(entry.size, &compressed, &size);
	if (compressed || (uint64_t)inode->xtra.reg.frag_off + inode->xtra.reg.file_size > size)
		return false;
	*ret_offset = entry.start_block + inode->xtra.reg.frag_off;
	return true;
}

/* All blocks stored as they are, one after the other, and no tail elsewhere. */
static bool blocks_extent(struct image *image, sqfs_inode *inode, uint64_t *ret_offset)
{
	uint64_t left = inode->xtra.reg.file_size;
	sqfs_blocklist list;

	if (inode->xtra.reg.frag_idx != SQUASHFS_INVALID_FRAG)
		return false;
	sqfs_blocklist_init(&image->fs, inode, &list);
	while (list.remain > 0) {
		bool compressed;
		uint32_t size;
		uint64_t expected = left < image->fs.sb.block_size ? left : image->fs.sb.block_size;
		if (sqfs_blocklist_next(&list) != SQFS_OK)
			return false;
		sqfs_data_header(list.header, &compressed, &size);
		if (compressed || size != expected)
			return false;
		left -= expected;
	}
	*ret_offset = inode->xtra.reg.start_block;
	return left == 0;
}

static bool find_extent(struct image *image, sqfs_inode *inode, uint64_t *ret_offset)
{
	uint64_t offset = 0, size = inode->xtra.reg.file_size;

	bool whole =
		size < image->fs.sb.block_size && inode->xtra.reg.frag_idx != SQUASHFS_INVALID_FRAG
			? fragment_extent(image, inode, &offset)
			: blocks_extent(image, inode, &offset);
	/* A damaged image may claim anything; sendfile would only come back short, but then after the headers. */
	if (!whole || offset > (uint64_t)image->st.st_size ||
	    size > (uint64_t)image->st.st_size - offset)
		return false;
	*ret_offset = offset;
	return true;
}

/* Everything that a content of the file is known by. Under the lock. */
static int find_content(struct image *image, const char *path, struct image_file *ret_file,
			struct content *ret)
{
	uint64_t offset = 0;
	int r = look_up_file(image, path, &ret_file->inode);

	if (r < 0)
		return r;
	if (!fragment_is_inside(image, &ret_file->inode))
		return -EIO;
	ret_file->opened = image->opened;
	*ret = CONTENT_INIT;
	set_id(image, &ret_file->inode, &ret->id);
	if (find_extent(image, &ret_file->inode, &offset))
		ret->fd = image->fd;
	ret->offset = offset;
	return 0;
}

static int image_open(struct place *place, const char *path, struct content *ret)
{
	struct image *image = image_of(place);
	struct image_file found;
	struct content content;

	pthread_mutex_lock(&image->lock);
	int r = find_content(image, path, &found, &content);
	pthread_mutex_unlock(&image->lock);
	if (r < 0)
		return r;
	if (content.fd < 0) {
		content.file = malloc(sizeof(found));
		if (!content.file)
			return -ENOMEM;
		memcpy(content.file, &found, sizeof(found));
	}
	content.place = place_ref(place);
	*ret = content;
	return 0;
}

/* The block that holds offset; *ret_data NULL: a hole. Its bytes begin at *ret_start. The library's own reading does not ask how long a block is. */
static int find_block(struct image *image, sqfs_inode *inode, uint64_t offset, size_t length,
		      sqfs_block **ret_data, size_t *ret_start)
{
	uint64_t block_size = image->fs.sb.block_size;
	sqfs_blocklist list;
	size_t size;

	*ret_data = NULL;
	*ret_start = 0;
	if (offset / block_size >= sqfs_blocklist_count(&image->fs, inode))
		return fragment_is_inside(image, inode) &&
				       sqfs_frag_block(&image->fs, inode, ret_start, &size,
						       ret_data) == SQFS_OK
			       ? 0
			       : -EIO;
	if (sqfs_blockidx_blocklist(&image->fs, inode, &list, (sqfs_off_t)offset) != SQFS_OK)
		return -EIO;
	do {
		if (sqfs_blocklist_next(&list) != SQFS_OK)
			return -EIO;
	} while ((uint64_t)list.pos + block_size <= offset);
	if (list.input_size == 0)
		return 0;
	return can_begin_at(list.block) &&
			       sqfs_data_cache(&image->fs, &image->fs.data_cache,
					       (sqfs_off_t)list.block, list.header,
					       ret_data) == SQFS_OK &&
			       (*ret_data)->size >= length
		       ? 0
		       : -EIO;
}

/* Up to the end of a block. -EAGAIN: the image was written to since the file was opened; what it would be now is another content. */
static ssize_t read_range(struct image *image, const struct image_file *file, void *buffer,
			  size_t size, uint64_t offset)
{
	sqfs_inode inode = file->inode;
	int r = look_at_file(image);

	if (file->opened != image->opened)
		return -EAGAIN;
	if (r < 0)
		return r;
	uint64_t block_size = image->fs.sb.block_size, within = offset % block_size;
	uint64_t left = inode.xtra.reg.file_size - (offset - within);
	size_t length = (size_t)(left < block_size ? left : block_size), start;
	sqfs_block *data;
	r = find_block(image, &inode, offset, length, &data, &start);
	if (r < 0)
		return r;
	if (size > length - within)
		size = length - within;
	if (data)
		memcpy(buffer, (const char *)data->data + start + within, size);
	else
		memset(buffer, 0, size);
	return (ssize_t)size;
}

static ssize_t image_read(struct place *place, const struct content *content, void *buffer,
			  size_t size, uint64_t offset)
{
	struct image *image = image_of(place);

	pthread_mutex_lock(&image->lock);
	ssize_t n = read_range(image, content->file, buffer, size, offset);
	pthread_mutex_unlock(&image->lock);
	return n;
}

static bool image_has_directory(struct place *place, const char *path)
{
	struct image *image = image_of(place);
	sqfs_inode inode;

	pthread_mutex_lock(&image->lock);
	int r = look_up(image, path, &inode);
	pthread_mutex_unlock(&image->lock);
	return r == 0 && S_ISDIR(inode.base.mode);
}

/* One entry at a time under the lock, so that visit may use the place. 1: there was one, 0: it was the end. */
static int next_entry(struct image *image, unsigned opened, sqfs_dir *dir,
		      char name[static SQUASHFS_NAME_LEN + 1], mode_t *ret_type)
{
	char buffer[ENTRY_NAME_ROOM];
	sqfs_dir_entry entry;
	sqfs_err err = SQFS_OK;

	sqfs_dentry_init(&entry, buffer);
	pthread_mutex_lock(&image->lock);
	bool same = look_at_file(image) == 0 && opened == image->opened;
	bool more = same && sqfs_dir_next(&image->fs, dir, &entry, &err);
	pthread_mutex_unlock(&image->lock);
	if (!same)
		return -EAGAIN;
	if (err != SQFS_OK || (more && sqfs_dentry_name_size(&entry) > SQUASHFS_NAME_LEN))
		return -EIO;
	if (!more)
		return 0;
	memcpy(name, buffer, sqfs_dentry_name_size(&entry));
	name[sqfs_dentry_name_size(&entry)] = '\0';
	*ret_type = (mode_t)sqfs_dentry_mode(&entry) & S_IFMT;
	return 1;
}

static int image_list(struct place *place, const char *path, place_visit_any_fn visit, void *user)
{
	struct image *image = image_of(place);
	sqfs_inode inode;
	sqfs_dir dir;
	char name[SQUASHFS_NAME_LEN + 1];
	mode_t type;
	unsigned n = 0;

	pthread_mutex_lock(&image->lock);
	int r = look_up(image, path, &inode);
	if (r == 0 && !S_ISDIR(inode.base.mode))
		r = -ENOENT;
	unsigned opened = image->opened;
	inode.xtra.dir.idx_count = 0;
	if (r == 0 && (!directory_is_inside(image, &inode) ||
		       sqfs_dir_open(&image->fs, &inode, &dir, 0) != SQFS_OK))
		r = -EIO;
	pthread_mutex_unlock(&image->lock);
	if (r < 0)
		return r;
	while ((r = next_entry(image, opened, &dir, name, &type)) > 0) {
		if (++n > PLACE_ENTRIES_MAX)
			return -E2BIG;
		if (name_is_dots(name))
			return -ENOTUNIQ;
		r = visit(name, type, user);
		if (r != 0)
			return r;
	}
	return r;
}

static uint64_t image_stamp(struct place *place, const char *path)
{
	struct content_id id;

	if (!image_has_directory(place, path))
		return 0;
	pthread_mutex_lock(&image_of(place)->lock);
	content_id_set(&id, &image_of(place)->st);
	pthread_mutex_unlock(&image_of(place)->lock);
	return (uint64_t)id.change ^ id.inode ^ id.device << 32;
}

static int image_fd(struct place *place)
{
	return image_of(place)->fd;
}

static void image_free(struct place *place)
{
	struct image *image = image_of(place);

	if (image->open)
		sqfs_destroy(&image->fs);
	close_fd(image->fd);
	pthread_mutex_destroy(&image->lock);
	free(image);
}

static const struct place_kind image_kind = {
	.stat = image_stat,
	.open = image_open,
	.has_directory = image_has_directory,
	.stamp = image_stamp,
	.list = image_list,
	.read = image_read,
	.file_size = sizeof(struct image_file),
	.image_fd = image_fd,
	.free = image_free,
};

static const char *reason(sqfs_err err)
{
	switch (err) {
	case SQFS_BADFORMAT:
		return "it is no squashfs image";
	case SQFS_BADVERSION:
		return "its version of squashfs is not supported";
	case SQFS_BADCOMP:
		return "its compression is not supported";
	default:
		return "its tables cannot be read";
	}
}

int place_new_image(int fd, struct place **ret, struct diag *diag)
{
	_cleanup_(place_unrefp) struct place *place = NULL;
	struct image *image = calloc(1, sizeof(*image));

	if (!image) {
		close_fd(fd);
		return -ENOMEM;
	}
	image->place = (struct place){ &image_kind, 1 };
	image->fd = fd;
	pthread_mutex_init(&image->lock, NULL);
	place = &image->place;
	if (fstat(fd, &image->st) < 0)
		return -errno;
	sqfs_err err = open_now(image);
	if (err != SQFS_OK)
		return diag_set(diag, -EINVAL, "%s", reason(err));
	*ret = TAKE_PTR(place);
	return 0;
}
