/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot/boot.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "base/events.h"
#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/disk.h"
#include "block/system_disk.h"
#include "block/udev.h"
#include "boot/await.h"
#include "boot/describe.h"
#include "boot/status.h"
#include "config/machine_config.h"
#include "layers/layers.h"
#include "layers/mount_api.h"
#include "runtime/runtime.h"
#include "store/tree.h"
#include "volume/volume.h"

#define UEVENT_SEQNUM	  "/sys/kernel/uevent_seqnum"
#define UEVENT_SEQNUM_MAX 65536 /* what a file in /sys says of its size: a page */

/* What the steps hand on to each other. */
struct pipeline {
	const struct boot_options *options;
	const char *config_root; /* where the config was found */
	json_t *status;
	struct machine_config *config;
	struct disk_list disks;
	struct timespec started;
};

static void pipeline_done(struct pipeline *p)
{
	json_decref(p->status);
	machine_config_free(p->config);
	disk_list_done(&p->disks);
}

__attribute__((format(printf, 4, 5))) static void report(const struct pipeline *p, int level,
							 const char *event, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	if (message)
		p->options->report(level, event, message);
}

/* A part that failed: one line now, and a problem in the status. The pipeline goes on. */
static void problem(struct pipeline *p, const char *part, const char *event, int err,
		    struct diag *diag)
{
	const char *message = diag->message ? diag_text(diag) : strerror(-err);

	report(p, LOG_ERR, event, "%s: %s", part, message);
	(void)status_add_problem(p->status, part, message);
}

static int load_config(struct pipeline *p, struct diag *diag)
{
	_cleanup_free_ char *cmdline = NULL;
	struct config_sources sources = {
		.root = p->config_root,
		.run_dir = p->options->run_dir,
		.run_root = p->options->root,
		.files = p->options->config_files,
	};

	int r = config_cmdline_read(p->options->root, &cmdline, diag);
	if (r < 0)
		return r;
	sources.cmdline = cmdline;
	r = machine_config_load(&sources, &p->config, diag);
	if (r < 0 || p->config->found || !p->options->config_fallback)
		return r;
	machine_config_free(p->config);
	p->config = NULL;
	sources.root = p->options->config_fallback;
	r = machine_config_load(&sources, &p->config, diag);
	if (r < 0 || p->config->found)
		report(p, LOG_INFO, NULL, "there is no machine config below %s; that of %s counts",
		       p->config_root ? p->config_root : "/", p->options->config_fallback);
	p->config_root = p->options->config_fallback;
	return r;
}

/* Selectors that ask for what udev adds to disks are not answered before it did. */
static int await_udev(struct pipeline *p, struct diag *diag)
{
	_cleanup_diag_ struct diag late = DIAG_INIT;
	const struct install_config *install = &p->config->install;
	uint64_t fields = selector_disk_fields(p->config->volume.disk_selector);

	if (p->options->root)
		return 0;
	if (p->config->media)
		fields |= selector_disk_fields(p->config->media);
	if (install->disk_selector)
		fields |= selector_disk_fields(install->disk_selector);
	/* A name that is not there yet. */
	if (install->disk && *install->disk == '/' && access(install->disk, F_OK) < 0)
		fields |= DISK_FIELDS(DISK_FIELD_SYMLINKS);
	int r = udev_complete(fields, &p->disks, &late);
	if (r == -ETIMEDOUT) {
		report(p, LOG_WARNING, NULL, "%s", diag_text(&late));
		return 0;
	}
	return r < 0 ? diag_set(diag, r, "%s", diag_text(&late)) : 0;
}

/*
 * From here on udev's rule (units/90-larder-media.rules) starts another look at what appears. What the kernel announced until
 * now is seen by the look that follows, and is no news when udev gets to it.
 */
static void note_look(const struct pipeline *p)
{
	_cleanup_free_ char *path = path_join(p->options->run_dir, NAME_RUN_LOOKED);
	_cleanup_free_ char *last = NULL, *line = NULL;

	if (!path || p->options->root)
		return;
	int r = read_file_at(AT_FDCWD, UEVENT_SEQNUM, UEVENT_SEQNUM_MAX, &last, NULL);
	if (r == 0 && asprintf(&line, "LARDER_LOOKED=%s", last) < 0)
		line = NULL;
	/* Without it everything is news. */
	if (!line || write_file_atomic_at(AT_FDCWD, path, line, strlen(line), 0644) < 0)
		(void)unlink(path);
}

static int find_disks(struct pipeline *p)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	note_look(p);
	int r = disk_list_read(p->options->root, DISK_FIELDS_ALL, &p->disks, &diag);
	if (r == 0)
		r = await_udev(p, &diag);
	if (r == 0)
		r = system_disk_find(p->options->root, &p->disks, &p->config->install, NULL, &diag);
	if (r < 0)
		problem(p, "disks", EVENT_VOLUME_FAILED, r, &diag);
	return r;
}

static void say_step(void *userdata, const char *line)
{
	report(userdata, LOG_INFO, NULL, "%s", line);
}

/* "No disk matched" is useless without the reason of each disk. */
static void report_verdicts(const struct pipeline *p, const struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->n_verdicts; i++)
		report(p, LOG_NOTICE, NULL, "%s: %s", plan->verdicts[i].disk,
		       plan->verdicts[i].reason);
}

static int ensure_volume(struct pipeline *p, struct volume_result *result, struct diag *diag)
{
	struct volume_request request = {
		.config = &p->config->volume,
		.disks = &p->disks,
		.foreign = p->options->root,
		.run_dir = p->options->run_dir,
		.say = say_step,
		.userdata = p,
	};

	volume_result_done(result);
	diag_done(diag);
	return volume_ensure(&request, result, diag);
}

/* No volume, or a new one and the medium that fills it is not there yet: nothing can be served. Is it worth trying again? */
static bool awaited_disk(struct pipeline *p, bool have_volume)
{
	uint64_t ms = p->config->volume.wait_timeout_ms;

	if (ms == 0 || (have_volume ? !p->config->media : !p->options->wait))
		return false;
	if (boot_await(p->options, p->config_root, p->config, have_volume) < 0)
		report(p, LOG_NOTICE, NULL,
		       have_volume ? "no medium came within %llu ms that could fill the new volume"
				   : "no disk and no medium came within %llu ms",
		       (unsigned long long)ms);
	disk_list_done(&p->disks);
	return find_disks(p) == 0 && !have_volume;
}

static void provide_volume(struct pipeline *p)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_volume_result_ struct volume_result result = { 0 };

	int r = ensure_volume(p, &result, &diag);
	if ((r == -ENOENT || (r == 0 && result.formatted)) && awaited_disk(p, r == 0))
		r = ensure_volume(p, &result, &diag);
	if (r < 0) {
		problem(p, "volume", r == -ENOENT ? EVENT_NO_DISK_MATCHED : EVENT_VOLUME_FAILED, r,
			&diag);
		report_verdicts(p, &result.plan);
	} else if (result.formatted) {
		report(p, LOG_INFO, EVENT_VOLUME_PROVISIONED,
		       "%s is the new " NAME_VOLUME " volume", result.device);
	}
	if (result.warning)
		report(p, LOG_WARNING, NULL, "volume: %s", result.warning);
	(void)status_set(p->status, "volume", describe_volume(&result));
}

static void tell(int level, const char *event, const char *message, void *userdata)
{
	const struct pipeline *p = userdata;

	p->options->report(level, event, message);
}

static int stop_at_first(const char *registry, const char *repository, const char *tag,
			 const struct digest *digest, void *user)
{
	(void)registry, (void)repository, (void)tag, (void)digest, (void)user;
	return 1;
}

/* Does the volume's own tree hold any image, as one does that Talos filled? */
static bool volume_has_images(const struct pipeline *p)
{
	_cleanup_free_ char *path = path_join(p->options->run_dir, NAME_RUN_VOLUME);
	_cleanup_close_ int tree = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return tree >= 0 && tree_walk_manifests(tree, stop_at_first, NULL, NULL) == 1;
}

/* An empty cache is not ready, however well everything went. */
static void check_that_something_is_served(struct pipeline *p, const struct layers_result *result)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	if (result->generation > 0 || volume_has_images(p))
		return;
	diag_set(
		&diag, -ENOENT,
		"there is no image to serve: no layer is active and the volume holds none; put in a medium "
		"with a layer, or add one with \"larder layers add\"");
	problem(p, "layers", NULL, -ENOENT, &diag);
}

static void activate_layers(struct pipeline *p)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_layers_result_ struct layers_result result = { 0 };
	struct layers_request request = {
		.config = p->config,
		.config_root = p->config_root,
		.root = p->options->root,
		.run_dir = p->options->run_dir,
		.disks = p->disks.n_disks > 0 ? &p->disks : NULL,
	};

	int r = layers_activate(&request, &result, &diag);
	if (r < 0) {
		problem(p, "layers", EVENT_LAYER_BROKEN, r, &diag);
		return;
	}
	STRV_FOREACH (note, result.notes)
		report(p, LOG_NOTICE, NULL, "%s", *note);
	(void)status_set_layers(p->status, &result, tell, p);
	check_that_something_is_served(p, &result);
}

static void configure_runtimes(struct pipeline *p)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_runtime_result_ struct runtime_result result = { 0 };

	if (!p->options->runtimes)
		return;
	int r = runtime_configure(p->config, p->options->root, &result, &diag);
	if (r < 0)
		problem(p, "runtimes", EVENT_RUNTIME_FAILED, r, &diag);
	for (size_t i = 0; i < result.n_reports; i++) {
		const struct runtime_report *runtime = &result.reports[i];
		STRV_FOREACH (hint, runtime->hints)
			report(p, LOG_NOTICE, NULL, "%s: %s", runtime->name, *hint);
		if (runtime->state == RUNTIME_FAILED) {
			diag_set(&diag, -EIO, "%s: %s", runtime->name, runtime->message);
			problem(p, "runtimes", EVENT_RUNTIME_FAILED, -EIO, &diag);
		}
	}
	(void)status_set(p->status, "runtimes", describe_runtimes(&result));
}

static int64_t elapsed_ms(const struct pipeline *p)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - p->started.tv_sec) * 1000 +
	       (now.tv_nsec - p->started.tv_nsec) / 1000000;
}

static int run_pipeline(struct pipeline *p, struct diag *diag)
{
	int r = load_config(p, diag);

	(void)status_set(p->status, "config", describe_config(p->config));
	if (r < 0) {
		(void)status_set_state(p->status, "failed");
		(void)status_add_problem(p->status, "config",
					 diag->message ? diag_text(diag) : strerror(-r));
		return r;
	}
	STRV_FOREACH (note, p->config->notes)
		report(p, LOG_NOTICE, NULL, "%s", *note);
	if (!p->config->cache_enabled) {
		(void)status_set_state(p->status, "disabled");
	} else {
		if (!p->options->root)
			mount_load_ahead();
		if (find_disks(p) == 0)
			provide_volume(p);
		activate_layers(p);
	}
	/* Also when disabled: then what an earlier boot wrote is taken back. */
	configure_runtimes(p);
	return 0;
}

/* With an invalid config nothing was touched: what an earlier boot did is still up, and stays in the status. */
static void keep_earlier_parts(struct pipeline *p)
{
	json_auto_t *earlier = NULL;

	if (status_read(p->options->run_dir, &earlier, NULL) == 0)
		(void)json_object_update_missing(p->status, earlier);
}

int boot_run(const struct boot_options *options, json_t **ret_status, struct diag *diag)
{
	_cleanup_(pipeline_done) struct pipeline p = { .options = options,
						       .config_root = options->config_root };
	_cleanup_diag_ struct diag write_diag = DIAG_INIT;

	clock_gettime(CLOCK_MONOTONIC, &p.started);
	p.status = status_new();
	if (!p.status)
		return -ENOMEM;
	/* That it cannot be made is said when it is needed. */
	(void)mkdir_all_at(AT_FDCWD, options->run_dir, 0755);
	int r = run_pipeline(&p, diag);
	if (r < 0)
		keep_earlier_parts(&p);
	int64_t ms = elapsed_ms(&p);
	(void)status_set(p.status, "duration_ms", json_integer(ms));
	/* What failed first is what the caller hears of. */
	int w = status_write(p.status, options->run_dir, r < 0 ? &write_diag : diag);
	if (r == 0)
		r = w;
	if (r == 0)
		report(&p, LOG_INFO, EVENT_BOOT_FINISHED, "the image cache is %s after %lld ms",
		       json_string_value(json_object_get(p.status, "state")), (long long)ms);
	if (ret_status)
		*ret_status = json_incref(p.status);
	return r;
}

/*
 * larderd has the volume open. While NAME_RUN_STOPPING is there it keeps nothing open; that takes it a moment, and running transfers
 * take it two seconds: then it cuts them off. A read from a medium that is slow must end first, and with it what was read ahead there: up
 * to a dozen MiB.
 */
#define STOP_WAIT_MS 30000
#define STOP_POLL_MS 10

static int wait_until_unused(int (*stop)(const char *run_dir, struct diag *diag),
			     const char *run_dir, struct diag *diag)
{
	const struct timespec poll = { .tv_nsec = STOP_POLL_MS * 1000000L };
	int r = stop(run_dir, diag);

	for (int waited = 0; r == -EBUSY && waited < STOP_WAIT_MS; waited += STOP_POLL_MS) {
		nanosleep(&poll, NULL);
		r = stop(run_dir, diag);
	}
	return r;
}

static int take_down(const char *run_dir, struct diag *diag)
{
	_cleanup_diag_ struct diag volume_diag = DIAG_INIT;

	/* What is still used is detached, and can be waited for only through the volume below it. */
	int r = layers_stop(run_dir, diag);
	/* Somebody is still mounting and copying: nothing was taken down. */
	if (r == -ETIMEDOUT)
		return r;
	int v = wait_until_unused(volume_stop, run_dir, &volume_diag);
	if (v < 0 && diag) {
		diag_done(diag);
		*diag = volume_diag;
		volume_diag = DIAG_INIT;
	}
	return v < 0 ? v : r == -EBUSY ? 0 : r;
}

int boot_stop(const struct boot_options *options, struct diag *diag)
{
	_cleanup_free_ char *status = path_join(options->run_dir, NAME_RUN_STATUS);
	_cleanup_free_ char *stopping = path_join(options->run_dir, NAME_RUN_STOPPING);

	if (!status || !stopping)
		return -ENOMEM;
	/* No run directory, nothing that is up. */
	_cleanup_close_ int marker = open(stopping, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (marker < 0 && errno == ENOENT)
		return 0;
	if (marker < 0)
		return diag_set(diag, -errno, "cannot write to %s: %s", options->run_dir,
				strerror(errno));
	int r = take_down(options->run_dir, diag);
	(void)unlink(stopping);
	if (unlink(status) < 0 && errno != ENOENT && r == 0)
		r = diag_set(diag, -errno, "cannot remove %s: %s", status, strerror(errno));
	return r;
}
