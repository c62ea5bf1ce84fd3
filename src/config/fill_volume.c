/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VolumeConfig IMAGECACHE: where the volume goes, how large it is, how it is encrypted. */
#include <string.h>

#include "base/names.h"
#include "config/fill.h"

#define DEFAULT_SELECTOR	"system_disk"
#define DEFAULT_MIN_SIZE	(UINT64_C(500) << 20)
#define DEFAULT_MAX_SIZE	(UINT64_C(1) << 30)
#define DEFAULT_WAIT_TIMEOUT_MS 10000

static int fill_selector(struct volume_config *v, const struct node *root, struct diag *diag)
{
	const struct node *match = node_find(root, "provisioning.diskSelector.match");

	if (!match)
		return selector_compile(SELECTOR_DISK, DEFAULT_SELECTOR, &v->disk_selector, diag);
	v->disk_selector_origin = fill_origin(match);
	return schema_selector(match, VALUE_DISK_SELECTOR, &v->disk_selector, diag);
}

static void fill_size(const struct node *root, const char *path, bool relative,
		      struct size_spec *ret)
{
	const struct node *node = node_find(root, path);

	if (node)
		(void)size_parse(node->text, relative, ret, NULL);
}

/* A default gives way to a size that was set. */
static int fill_sizes(struct volume_config *v, struct document_set *set, const struct node *root,
		      struct diag *diag)
{
	const struct node *max = node_find(root, "provisioning.maxSize");

	fill_size(root, "provisioning.minSize", false, &v->min_size);
	fill_size(root, "provisioning.maxSize", true, &v->max_size);
	if (v->min_size.kind == SIZE_UNSET) {
		v->min_size = (struct size_spec){ SIZE_BYTES, DEFAULT_MIN_SIZE };
		if (v->max_size.kind == SIZE_BYTES && v->max_size.value < DEFAULT_MIN_SIZE)
			v->min_size.value = v->max_size.value;
	}
	if (v->max_size.kind == SIZE_UNSET) {
		v->max_size = (struct size_spec){ SIZE_BYTES, DEFAULT_MAX_SIZE };
		if (v->min_size.value > DEFAULT_MAX_SIZE)
			v->max_size.value = v->min_size.value;
	}
	if (v->max_size.kind == SIZE_BYTES && v->max_size.value < v->min_size.value)
		return node_error(max, diag,
				  KIND_VOLUME " " NAME_VOLUME
					      ": provisioning: maxSize %s is less than minSize %s",
				  max->text, node_find(root, "provisioning.minSize")->text);
	if (v->max_size.kind == SIZE_NEGATIVE && v->max_size.value == 0)
		return documents_note(set, max,
				      KIND_VOLUME " " NAME_VOLUME
						  ": provisioning: maxSize %s leaves nothing free: "
						  "the volume takes all there is, as with 100%%",
				      max->text);
	return 0;
}

/* As in Talos: the state of Secure Boot, if nothing else is asked for. */
#define DEFAULT_PCRS (1U << 7)

static void fill_tpm(const struct node *item, struct encryption_key *key)
{
	const struct node *pcrs = node_find(item, "tpm.pcrs");

	fill_bool(item, "tpm.checkSecurebootStatusOnEnroll", &key->check_secure_boot);
	key->pcrs = pcrs ? 0 : DEFAULT_PCRS;
	for (size_t i = 0; pcrs && i < pcrs->n; i++)
		key->pcrs |= 1U << strtoul(pcrs->items[i]->text, NULL, 10);
}

static int fill_key(struct pool *pool, const struct node *item, struct encryption_key *key,
		    struct diag *diag)
{
	static const char *const kinds[] = {
		[KEY_STATIC] = "static",
		[KEY_NODE_ID] = "nodeID",
		[KEY_TPM] = "tpm",
	};
	int found = 0;

	fill_number(item, "slot", &key->slot);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (node_get(item, kinds[i])) {
			key->kind = (enum key_kind)i;
			found++;
		}
	}
	if (found != 1)
		return node_error(item, diag,
				  KIND_VOLUME
				  " " NAME_VOLUME
				  ": encryption: a key has one of static, nodeID and tpm, and "
				  "slot %u has %s",
				  key->slot, found ? "more" : "none");
	if (key->kind == KEY_STATIC && !node_find(item, "static.passphrase"))
		return node_error(item, diag,
				  KIND_VOLUME
				  " " NAME_VOLUME
				  ": encryption: the static key of slot %u has no passphrase",
				  key->slot);
	fill_tpm(item, key);
	if (fill_text(pool, item, "static.passphrase", &key->passphrase) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct encryption_key *x = a, *y = b;

	return (x->slot > y->slot) - (x->slot < y->slot);
}

static int fill_keys(struct encryption_config *e, struct pool *pool, const struct node *list,
		     struct diag *diag)
{
	if (!list || list->n == 0)
		return 0;
	e->keys = pool_alloc(pool, list->n * sizeof(*e->keys));
	if (!e->keys)
		return diag_set(diag, -ENOMEM, "out of memory");
	for (size_t i = 0; i < list->n; i++) {
		int r = fill_key(pool, list->items[i], &e->keys[i], diag);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (e->keys[j].slot == e->keys[i].slot)
				return node_error(list->items[i], diag,
						  KIND_VOLUME
						  " " NAME_VOLUME
						  ": encryption: the slot %u is used twice",
						  e->keys[i].slot);
		e->n_keys++;
	}
	qsort(e->keys, e->n_keys, sizeof(*e->keys), compare_keys);
	return 0;
}

static int fill_encryption(struct encryption_config *e, struct pool *pool, const struct node *root,
			   struct diag *diag)
{
	const struct node *encryption = node_find(root, "encryption");

	if (!encryption)
		return 0;
	e->enabled = true;
	int r = fill_keys(e, pool, node_find(encryption, "keys"), diag);
	if (r < 0)
		return r;
	if (e->n_keys == 0)
		return node_error(
			encryption, diag,
			KIND_VOLUME
			" " NAME_VOLUME
			": encryption: there are no keys, so nothing could open the volume");
	fill_number(encryption, "keySize", &e->key_size);
	fill_number(encryption, "blockSize", &e->block_size);
	if (e->block_size & (e->block_size - 1))
		return node_error(node_find(encryption, "blockSize"), diag,
				  KIND_VOLUME " " NAME_VOLUME
					      ": encryption: blockSize is 512, 1024, 2048 or 4096");
	if (e->key_size % 8)
		return node_error(
			node_find(encryption, "keySize"), diag,
			KIND_VOLUME
			" " NAME_VOLUME
			": encryption: keySize is a number of bits that makes whole bytes, and %u does not",
			e->key_size);
	if (fill_text(pool, encryption, "cipher", &e->cipher) < 0 ||
	    fill_strv(pool, encryption, "options", &e->options) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	return 0;
}

int fill_volume(struct machine_config *c, struct document_set *set, struct diag *diag)
{
	const struct node *root = fill_root(set, KIND_VOLUME, NAME_VOLUME);
	const struct node *wait = node_find(root, "provisioning.waitTimeout");
	struct volume_config *v = &c->volume;

	v->present = root != NULL;
	v->wait_timeout_ms = DEFAULT_WAIT_TIMEOUT_MS;
	if (wait)
		(void)duration_parse(wait->text, &v->wait_timeout_ms, NULL);
	fill_bool(root, "provisioning.grow", &v->grow);
	int r = fill_selector(v, root, diag);
	if (r == 0)
		r = fill_sizes(v, set, root, diag);
	return r < 0 ? r : fill_encryption(&v->encryption, &set->pool, root, diag);
}
