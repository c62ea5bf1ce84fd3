/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/verity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libcryptsetup.h>
#include <linux/dm-ioctl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/text.h"
#include "block/cryptsetup.h"

#define MAPPER_DIR     "/dev/mapper/"
#define CONTROL	       MAPPER_DIR DM_CONTROL_NODE
#define SYS_BLOCK      "/sys/block"
#define HASH_NAME      "sha256"
#define HASH_TYPE      1 /* of the superblock: what every kernel since 3.4 reads */
#define OPEN_TRIES     3 /* a device of that name may be on its way out */
#define NAME_BYTES_MAX 4096

/* Layers are opened by several threads; libcryptsetup, and libdevmapper below it, have state that those would share. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

struct library {
	__typeof__(crypt_init) *init;
	__typeof__(crypt_init_by_name) *init_by_name;
	__typeof__(crypt_free) *free;
	__typeof__(crypt_format) *format;
	__typeof__(crypt_load) *load;
	__typeof__(crypt_set_data_device) *set_data;
	__typeof__(crypt_get_volume_key_size) *root_size;
	__typeof__(crypt_volume_key_get) *get_root;
	__typeof__(crypt_activate_by_volume_key) *activate;
	__typeof__(crypt_get_active_device) *get_active;
	__typeof__(crypt_deactivate_by_name) *deactivate;
	__typeof__(crypt_set_log_callback) *set_log;
};

struct session {
	struct library lib;
	struct crypt_device *device;
	char words[512]; /* libcryptsetup's first error */
};

static void session_done(struct session *s)
{
	if (s->device)
		s->lib.free(s->device);
}

static void keep_words(int level, const char *message, void *user)
{
	struct session *s = user;

	if (level != CRYPT_LOG_ERROR || *s->words)
		return;
	snprintf(s->words, sizeof(s->words), "%s", message);
	s->words[strcspn(s->words, "\n")] = '\0';
}

static void drop_words(int level, const char *message, void *user)
{
	(void)level;
	(void)message;
	(void)user;
}

static int load_library(struct library *lib, struct diag *diag)
{
	const struct cryptsetup_symbol symbols[] = {
		{ "crypt_init", (void **)&lib->init },
		{ "crypt_init_by_name", (void **)&lib->init_by_name },
		{ "crypt_free", (void **)&lib->free },
		{ "crypt_format", (void **)&lib->format },
		{ "crypt_load", (void **)&lib->load },
		{ "crypt_set_data_device", (void **)&lib->set_data },
		{ "crypt_get_volume_key_size", (void **)&lib->root_size },
		{ "crypt_volume_key_get", (void **)&lib->get_root },
		{ "crypt_activate_by_volume_key", (void **)&lib->activate },
		{ "crypt_get_active_device", (void **)&lib->get_active },
		{ "crypt_deactivate_by_name", (void **)&lib->deactivate },
		{ "crypt_set_log_callback", (void **)&lib->set_log },
	};

	int r = cryptsetup_load(symbols, ARRAY_SIZE(symbols), "dm-verity", diag);
	/* What is said without a device would go to standard error. */
	if (r == 0)
		lib->set_log(NULL, drop_words, NULL);
	return r;
}

static int failed(const struct session *s, int r, const char *what, struct diag *diag)
{
	return diag_set(diag, r, "%s: %s", what, *s->words ? s->words : strerror(-r));
}

static int session_open(struct session *s, const char *path, struct diag *diag)
{
	int r = load_library(&s->lib, diag);

	if (r < 0)
		return r;
	r = s->lib.init(&s->device, path);
	if (r < 0)
		return failed(s, r, "the hash tree cannot be opened", diag);
	s->lib.set_log(s->device, keep_words, s);
	return 0;
}

bool verity_root_hash_is_valid(const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");

	return text[n] == '\0' && (n == VERITY_ROOT_HEX_MAX / 2 || n == VERITY_ROOT_HEX_MAX);
}

int verity_available(struct diag *diag)
{
	if (!device_mapper_is_there())
		return diag_set(diag, -EOPNOTSUPP, "this kernel has no device-mapper (dm-verity)");
	return verity_can_create(diag);
}

int verity_can_create(struct diag *diag)
{
	struct library lib = { 0 };

	pthread_mutex_lock(&library_lock);
	int r = load_library(&lib, diag);
	pthread_mutex_unlock(&library_lock);
	return r;
}

static void to_hex(const char *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		sprintf(ret + 2 * i, "%02x", (unsigned char)bytes[i]);
}

static void from_hex(const char *text, char *ret)
{
	for (; *text; text += 2) {
		const char digits[] = { text[0], text[1], '\0' };
		*ret++ = (char)strtoul(digits, NULL, 16);
	}
}

/* The tree covers whole blocks only: a tail beyond the last would be served unchecked. */
static int check_blocks(const char *data, struct diag *diag)
{
	struct stat st;

	if (stat(data, &st) < 0)
		return diag_set(diag, -errno, "%s: %s", data, strerror(errno));
	if (st.st_size == 0 || st.st_size % VERITY_BLOCK_BYTES != 0)
		return diag_set(diag, -EINVAL, "%s: %lld bytes are no multiple of %d", data,
				(long long)st.st_size, VERITY_BLOCK_BYTES);
	return 0;
}

static int make_empty(const char *path, struct diag *diag)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? diag_set(diag, -errno, "%s: %s", path, strerror(errno)) : 0;
}

int verity_create(const char *data, const char *tree, const uint8_t salt[static VERITY_SALT_BYTES],
		  const char *uuid, char ret_root_hash[static VERITY_ROOT_TEXT_MAX],
		  struct diag *diag)
{
	_cleanup_(session_done) struct session s = { 0 };
	struct crypt_params_verity parameters = {
		.hash_name = HASH_NAME,
		.data_device = data,
		.salt = (const char *)salt,
		.salt_size = VERITY_SALT_BYTES,
		.hash_type = HASH_TYPE,
		.data_block_size = VERITY_BLOCK_BYTES,
		.hash_block_size = VERITY_BLOCK_BYTES,
		.flags = CRYPT_VERITY_CREATE_HASH,
	};
	char root[VERITY_ROOT_HEX_MAX / 2];
	size_t size = sizeof(root);
	int r = check_blocks(data, diag);

	if (r == 0)
		r = make_empty(tree, diag);
	if (r == 0)
		r = session_open(&s, tree, diag);
	if (r < 0)
		return r;
	r = s.lib.format(s.device, CRYPT_VERITY, NULL, NULL, uuid, NULL, 0, &parameters);
	if (r == 0)
		r = s.lib.get_root(s.device, CRYPT_ANY_SLOT, root, &size, NULL, 0);
	if (r < 0)
		return failed(&s, r, "the hash tree cannot be made", diag);
	to_hex(root, size, ret_root_hash);
	return 0;
}

static int load_tree(struct session *s, const char *data, const char *root_hash, struct diag *diag)
{
	int r = s->lib.load(s->device, CRYPT_VERITY, NULL);

	if (r < 0)
		return failed(s, r, "the hash tree is none", diag);
	if ((size_t)s->lib.root_size(s->device) * 2 != strlen(root_hash))
		return diag_set(diag, -EINVAL,
				"its root hash has %zu digits, and its hash tree wants %d",
				strlen(root_hash), s->lib.root_size(s->device) * 2);
	r = s->lib.set_data(s->device, data);
	return r < 0 ? failed(s, r, "the hash tree does not fit", diag) : 0;
}

/* Maps it. -EEXIST: it is there already. */
static int activate(const char *data, const char *tree, const char *root_hash, const char *name,
		    struct diag *diag)
{
	_cleanup_(session_done) struct session s = { 0 };
	char root[VERITY_ROOT_HEX_MAX / 2];
	int r = session_open(&s, tree, diag);

	if (r == 0)
		r = load_tree(&s, data, root_hash, diag);
	if (r < 0)
		return r;
	from_hex(root_hash, root);
	r = s.lib.activate(s.device, name, root, strlen(root_hash) / 2, CRYPT_ACTIVATE_READONLY);
	return r < 0 && r != -EEXIST ? failed(&s, r, "dm-verity does not take it", diag) : r;
}

/* The kernel's own call, for what libcryptsetup does not see: a device that a crash left without a table, or with one not yet in use. */
static int remove_by_name(const char *name)
{
	_cleanup_close_ int control = open(CONTROL, O_RDWR | O_CLOEXEC);
	struct dm_ioctl request = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(request),
		.flags = DM_DEFERRED_REMOVE,
	};

	if (control < 0)
		return -errno;
	snprintf(request.name, sizeof(request.name), "%s", name);
	return ioctl(control, DM_DEV_REMOVE, &request) < 0 ? -errno : 0;
}

/* From now on its last user takes it along. */
static int remove_when_unused(const char *name)
{
	struct library lib = { 0 };
	int r = load_library(&lib, NULL);

	if (r == 0)
		r = lib.deactivate(NULL, name, CRYPT_DEACTIVATE_DEFERRED);
	return r < 0 ? remove_by_name(name) : 0;
}

/* The device at path, which nothing keeps yet. */
static int open_device(const char *data, const char *tree, const char *root_hash, const char *name,
		       const char *path, int *ret_fd, struct diag *diag)
{
	_cleanup_close_ int fd = -1;
	int r = 0;

	for (int i = 0; fd < 0 && i < OPEN_TRIES; i++) {
		r = activate(data, tree, root_hash, name, diag);
		if (r < 0 && r != -EEXIST)
			return r;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return diag_set(diag, -errno, "%s: %s", path, strerror(errno));
	r = remove_when_unused(name);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int verity_open(const char *data, const char *tree, const char *root_hash, const char *name,
		int *ret_fd, char ret_path[static VERITY_PATH_MAX], struct diag *diag)
{
	int r = verity_available(diag);

	if (r < 0)
		return r;
	snprintf(ret_path, VERITY_PATH_MAX, MAPPER_DIR "%s", name);
	pthread_mutex_lock(&library_lock);
	r = open_device(data, tree, root_hash, name, ret_path, ret_fd, diag);
	pthread_mutex_unlock(&library_lock);
	return r;
}

static bool found_corruption(const char *name)
{
	_cleanup_(session_done) struct session s = { 0 };
	struct crypt_active_device active = { 0 };

	return load_library(&s.lib, NULL) == 0 && s.lib.init_by_name(&s.device, name) == 0 &&
	       s.lib.get_active(s.device, name, &active) == 0 &&
	       (active.flags & CRYPT_ACTIVATE_CORRUPTED);
}

bool verity_found_corruption(const char *name)
{
	pthread_mutex_lock(&library_lock);
	bool found = found_corruption(name);
	pthread_mutex_unlock(&library_lock);
	return found;
}

static int read_name(const char *sys_device, char ret[static VERITY_NAME_MAX])
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	path = text_format("%s/dm/name", sys_device);
	if (!path)
		return -ENOMEM;
	int r = read_file_at(AT_FDCWD, path, NAME_BYTES_MAX, &text, NULL);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (!text_starts_with(text, VERITY_NAME_PREFIX) || strlen(text) >= VERITY_NAME_MAX)
		return -ENOENT;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

int verity_name_of(dev_t device, char ret[static VERITY_NAME_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
	return read_name(path, ret);
}

void verity_clean(void)
{
	_cleanup_closedir_ DIR *d = opendir(SYS_BLOCK);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		char path[sizeof(SYS_BLOCK) + NAME_MAX + 1], name[VERITY_NAME_MAX];
		if (!text_starts_with(e->d_name, "dm-"))
			continue;
		snprintf(path, sizeof(path), SYS_BLOCK "/%s", e->d_name);
		if (read_name(path, name) == 0)
			(void)remove_when_unused(name);
	}
}
