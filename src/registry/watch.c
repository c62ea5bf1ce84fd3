/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notices that the volume or a generation came, went or changed: the run directory is watched by inotify (the symlink of the
 * generation is replaced by rename), and the table of mounts by poll (mounting over a directory is no event of inotify).
 * Either only makes it look: what counts is whether the directories are others than before.
 *
 * The files of layers are watched by the links beside their mounts: one that is written to is known before the next request is
 * read. Which it was, and whether it matters, is found out by stat(2) when sources are taken anew (store/parts.h), which is
 * also what notices where a file may not be watched.
 */
#include "registry/inside.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"

/* Where neither can be used, this often is soon enough. */
static const struct timeval look_again = { 2, 0 };

/* "larder stop" waits longer: a client that stalls, or is slow, does not keep the volume busy. */
#define STOPPING_CUT_MS 2000

struct seen {
	struct {
		uint64_t device, inode;
	} volume, generation, stopping;
};

struct watch {
	struct registry *registry;
	char *run_dir;
	char *volume, *generation, *stopping;
	int inotify_fd, mounts_fd, mounts_epoll;
	bool watching; /* the run directory is there and watched */
	char *layers;
	int files_fd; /* inotify of the layers' files; -1: there is none */
	struct event *files;
	struct event *inotify, *mounts, *timer;
	struct seen seen;
};

static void look_at(const char *path, uint64_t *ret_device, uint64_t *ret_inode)
{
	struct stat st;

	if (stat(path, &st) < 0)
		memset(&st, 0, sizeof(st));
	*ret_device = st.st_dev;
	*ret_inode = st.st_ino;
}

static void on_files(evutil_socket_t fd, short what, void *user)
{
	struct watch *w = user;
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)what;
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	registry_changed(w->registry);
}

static void stop_watching_files(struct watch *w)
{
	if (w->files)
		event_free(w->files);
	w->files = NULL;
	w->files_fd = close_fd(w->files_fd);
}

/* Anew for each generation: what the one before watched is let go. */
static void watch_files(struct watch *w)
{
	_cleanup_closedir_ DIR *dir = opendir(w->layers);
	char path[PATH_MAX];

	stop_watching_files(w);
	w->files_fd = dir ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
	if (w->files_fd < 0)
		return;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		int n = snprintf(path, sizeof(path), "%s/%s", w->layers, e->d_name);
		if (text_ends_with(e->d_name, NAME_LAYER_SUFFIX) && n > 0 &&
		    (size_t)n < sizeof(path))
			(void)inotify_add_watch(w->files_fd, path,
						IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF);
	}
	w->files = event_new(w->registry->base, w->files_fd, EV_READ | EV_PERSIST, on_files, w);
	if (w->files)
		event_add(w->files, NULL);
}

static void look(struct watch *w)
{
	struct seen now;

	look_at(w->volume, &now.volume.device, &now.volume.inode);
	look_at(w->generation, &now.generation.device, &now.generation.inode);
	look_at(w->stopping, &now.stopping.device, &now.stopping.inode);
	if (memcmp(&now, &w->seen, sizeof(now)) == 0)
		return;
	if (memcmp(&now.generation, &w->seen.generation, sizeof(now.generation)) != 0)
		watch_files(w);
	w->registry->stopping = now.stopping.inode != 0;
	if (now.stopping.inode != w->seen.stopping.inode)
		http_server_cut(w->registry->server, w->registry->stopping ? STOPPING_CUT_MS : 0);
	w->seen = now;
	registry_changed(w->registry);
}

static void watch_run_dir(struct watch *w)
{
	w->watching = w->inotify_fd >= 0 &&
		      inotify_add_watch(w->inotify_fd, w->run_dir,
					IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM |
						IN_DELETE_SELF | IN_ONLYDIR) >= 0;
}

static void on_inotify(evutil_socket_t fd, short what, void *user)
{
	struct watch *w = user;
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)what;
	for (;;) {
		ssize_t n = read(fd, buffer, sizeof(buffer));
		if (n <= 0)
			break;
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;
			if (event->mask & IN_IGNORED)
				w->watching = false;
			at += sizeof(*event) + event->len;
		}
	}
	look(w);
}

static void on_mounts(evutil_socket_t fd, short what, void *user)
{
	struct epoll_event event;

	(void)what;
	(void)epoll_wait(fd, &event, 1, 0);
	look(user);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	struct watch *w = user;

	(void)fd;
	(void)what;
	if (!w->watching)
		watch_run_dir(w);
	look(w);
}

/* mountinfo reports a change as an exceptional condition, which libevent does not know; an epoll of its own does. */
static void watch_mounts(struct watch *w)
{
	struct epoll_event event = { .events = EPOLLPRI };

	w->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	w->mounts_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->mounts_fd < 0 || w->mounts_epoll < 0 ||
	    epoll_ctl(w->mounts_epoll, EPOLL_CTL_ADD, w->mounts_fd, &event) < 0)
		return;
	w->mounts =
		event_new(w->registry->base, w->mounts_epoll, EV_READ | EV_PERSIST, on_mounts, w);
	if (w->mounts)
		event_add(w->mounts, NULL);
}

int watch_new(struct registry *r, const char *run_dir, struct watch **ret)
{
	_cleanup_(watch_freep) struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->registry = r;
	w->mounts_fd = w->mounts_epoll = w->files_fd = -1;
	w->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->run_dir = strdup(run_dir);
	w->volume = path_join(run_dir, NAME_RUN_VOLUME);
	w->generation = path_join(run_dir, NAME_RUN_CACHE);
	w->stopping = path_join(run_dir, NAME_RUN_STOPPING);
	w->layers = path_join(run_dir, NAME_RUN_LAYERS);
	w->timer = event_new(r->base, -1, EV_PERSIST, on_timer, w);
	if (!w->run_dir || !w->volume || !w->generation || !w->stopping || !w->layers || !w->timer)
		return -ENOMEM;
	event_add(w->timer, &look_again);
	watch_run_dir(w);
	if (w->inotify_fd >= 0)
		w->inotify = event_new(r->base, w->inotify_fd, EV_READ | EV_PERSIST, on_inotify, w);
	if (w->inotify)
		event_add(w->inotify, NULL);
	watch_mounts(w);
	look(w);
	*ret = TAKE_PTR(w);
	return 0;
}

void watch_free(struct watch *w)
{
	if (w->inotify)
		event_free(w->inotify);
	if (w->mounts)
		event_free(w->mounts);
	if (w->timer)
		event_free(w->timer);
	stop_watching_files(w);
	close_fd(w->inotify_fd);
	close_fd(w->mounts_epoll);
	close_fd(w->mounts_fd);
	free(w->run_dir);
	free(w->volume);
	free(w->generation);
	free(w->stopping);
	free(w->layers);
	free(w);
}
