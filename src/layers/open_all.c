/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/open_all.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX	  8
#define LAYERS_PER_THREAD 4 /* for fewer, a thread costs more than it gains */

struct crew {
	const struct layers_request *request;
	struct layers_result *result;
	struct mounted_layers *mounted;
	size_t next; /* the first layer that nobody has taken yet; atomic */
	int error;   /* of the one that could not go on; atomic */
};

int layer_mark_broken(struct layer *layer, int err, struct diag *why)
{
	layer->state = LAYER_BROKEN;
	free(layer->reason);
	layer->reason = strdup(why->message ? diag_text(why) : strerror(-err));
	return layer->reason ? 0 : -ENOMEM;
}

static int open_one(const struct crew *crew, struct layer *layer)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = layer_open(layer, crew->request->run_dir, &crew->request->config->layers,
			   crew->mounted, &why);

	if (r == 0 || r == -ENOMEM)
		return r;
	layer_close(layer);
	return layer_mark_broken(layer, r, &why);
}

static void *work(void *user)
{
	struct crew *crew = user;
	size_t n = crew->result->n_layers;

	while (__atomic_load_n(&crew->error, __ATOMIC_RELAXED) == 0) {
		size_t i = __atomic_fetch_add(&crew->next, 1, __ATOMIC_RELAXED);
		if (i >= n)
			break;
		int r = open_one(crew, &crew->result->layers[i]);
		if (r < 0)
			__atomic_store_n(&crew->error, r, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Besides the caller, who works, too. Which of two copies takes a mount that is there depends on their order: then there are none. */
static size_t threads_for(const struct crew *crew)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = crew->result->n_layers / LAYERS_PER_THREAD;

	if (crew->mounted->n > 0 || processors < 2)
		return 0;
	if (n > (size_t)processors)
		n = (size_t)processors;
	return n > THREADS_MAX ? THREADS_MAX : n;
}

int layers_open_all(const struct layers_request *request, struct layers_result *result,
		    struct mounted_layers *mounted)
{
	struct crew crew = { .request = request, .result = result, .mounted = mounted };
	pthread_t threads[THREADS_MAX];
	size_t wanted = threads_for(&crew), n = 0;
	sigset_t all, before;

	/* Signals are for the caller's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (n < wanted && pthread_create(&threads[n], NULL, work, &crew) == 0)
		n++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	work(&crew);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	return crew.error;
}
