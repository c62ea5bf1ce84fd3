/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LUKS2 headers on a file: formatted, opened by each of their keys and by no other. Mapping needs a kernel with dm-crypt. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "block/luks.h"

#define UUID_A "4c4c4544-0042-3510-8051-b4c04f4d3231"
#define UUID_B "4c4c4544-0042-3510-8051-b4c04f4d3232"

struct machine {
	char root[32]; /* with a UUID in its /sys */
	char *image;
};

static void put(const struct machine *m, const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = path_join(m->root, name);

	assert_int_equal(mkdir_parents_at(AT_FDCWD, path, 0755), 0);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, path, data, size, 0644), 0);
}

static void set_uuid(const struct machine *m, const char *uuid)
{
	put(m, "sys/class/dmi/id/product_uuid", uuid, strlen(uuid));
}

/* An EFI variable: four bytes of attributes, then the value. */
static void set_secure_boot(const struct machine *m, uint8_t on)
{
	const uint8_t variable[] = { 6, 0, 0, 0, on };

	put(m, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", variable,
	    sizeof(variable));
}

static int set_up(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	strcpy(m->root, "/tmp/larder-luks.XXXXXX");
	assert_non_null(mkdtemp(m->root));
	m->image = path_join(m->root, "image");
	_cleanup_close_ int fd = open(m->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 32 << 20), 0);
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *m = *state;

	assert_int_equal(remove_tree_at(AT_FDCWD, m->root), 0);
	free(m->image);
	free(m);
	return 0;
}

static char passphrase[] = "a secret", other[] = "another";

/* What the header says: its JSON lies behind the binary header of 4096 bytes (LUKS2 On-Disk Format, 2.1). */
static void assert_header(int fd, const char *const expected[])
{
	char json[12289] = { 0 };

	assert_int_equal(pread_exact(fd, json, sizeof(json) - 1, 4096), 0);
	for (; *expected; expected++)
		if (!strstr(json, *expected))
			fail_msg("%s is not in %s", *expected, json);
}

static void test_keys(void **state)
{
	const struct machine *m = *state;
	struct encryption_key keys[] = {
		{ .slot = 1, .kind = KEY_STATIC, .passphrase = passphrase },
		{ .slot = 3, .kind = KEY_NODE_ID },
	};
	struct encryption_config config = {
		.enabled = true, .keys = keys, .n_keys = 2, .key_size = 256, .block_size = 2048
	};
	const char *const expected[] = { "\"encryption\":\"aes-xts-plain64\"",
					 "\"sector_size\":2048",
					 "{\"1\":{\"type\":\"luks2\",\"key_size\":32,",
					 "\"3\":{\"type\":\"luks2\",\"key_size\":32,", NULL };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	bool found = true;

	_cleanup_close_ int fd = open(m->image, O_RDONLY | O_CLOEXEC);
	assert_int_equal(luks_find(fd, 0, &found), 0);
	assert_false(found);
	set_uuid(m, UUID_A "\n");
	assert_int_equal(luks_format(m->root, m->image, NAME_VOLUME, &config, &d), 0);
	assert_int_equal(luks_find(fd, 0, &found), 0);
	assert_true(found);
	assert_header(fd, expected);

	assert_int_equal(luks_check(m->root, m->image, NAME_VOLUME, &config, &d), 0);
	/* The node's key alone, and not on another node. */
	config.keys = keys + 1;
	config.n_keys = 1;
	assert_int_equal(luks_check(m->root, m->image, NAME_VOLUME, &config, &d), 0);
	set_uuid(m, UUID_B "\n");
	assert_int_equal(luks_check(m->root, m->image, NAME_VOLUME, &config, &d), -EPERM);
	assert_non_null(strstr(d.message, "none of the 1 keys"));
	/* A wrong passphrase. */
	keys[0].passphrase = other;
	config.keys = keys;
	assert_int_equal(luks_check(m->root, m->image, NAME_VOLUME, &config, &d), -EPERM);
}

static void test_refusals(void **state)
{
	const struct machine *m = *state;
	static char cipher[] = "rot13", option[] = "go_faster";
	char *options[] = { option, NULL };
	struct encryption_key key = { .slot = 0, .kind = KEY_NODE_ID };
	struct encryption_config config = { .enabled = true, .keys = &key, .n_keys = 1 };
	_cleanup_diag_ struct diag d = DIAG_INIT;

	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), -ENOENT);
	assert_non_null(strstr(d.message, "product_uuid"));
	set_uuid(m, "00000000-0000-0000-0000-000000000000\n");
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), -EINVAL);
	key = (struct encryption_key){ .kind = KEY_STATIC, .passphrase = passphrase };
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), 0);
	config.cipher = cipher;
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), -EINVAL);
	assert_non_null(strstr(d.message, "rot13"));
	config.cipher = NULL;
	config.options = options;
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), -EINVAL);
	assert_non_null(strstr(d.message, "go_faster"));
}

static void test_tpm(void **state)
{
	const struct machine *m = *state;
	struct encryption_key key = { .slot = 5, .kind = KEY_TPM, .check_secure_boot = true };
	struct encryption_config config = { .enabled = true, .keys = &key, .n_keys = 1 };
	_cleanup_diag_ struct diag d = DIAG_INIT;

	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), -EOPNOTSUPP);
	assert_non_null(strstr(d.message, "slot 5"));
	assert_non_null(strstr(d.message, "/dev/tpmrm0"));
	put(m, "dev/tpmrm0", "", 0);
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), -EOPNOTSUPP);
	assert_non_null(strstr(d.message, "Secure Boot"));
	set_secure_boot(m, 0);
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), -EOPNOTSUPP);
	set_secure_boot(m, 1);
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), 0);
	key.check_secure_boot = false;
	set_secure_boot(m, 0);
	assert_int_equal(luks_can_format(m->root, NAME_VOLUME, &config, &d), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tpm, set_up, tear_down),
	};

	return unit_main(tests);
}
