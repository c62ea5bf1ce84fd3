/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/open_all.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define THREADS_MAX	      8
#define DESCRIPTORS_BESIDE    64
#define DESCRIPTORS_PER_LAYER 4
#define LAYERS_PER_THREAD     4 /* for fewer, a thread costs more than it gains */

struct crew {
	const struct layers_request *request;
	struct layers_result *result;
	const struct mounted_layers *mounted;
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

/* Which layers get descriptors where there are too few is not left to chance. */
static bool descriptors_are_enough(size_t n)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	       limit.rlim_cur >= DESCRIPTORS_BESIDE + n * DESCRIPTORS_PER_LAYER;
}

/* Besides the caller, who works, too. */
static size_t threads_for(const struct layers_result *result)
{
	size_t n = result->n_layers / LAYERS_PER_THREAD, processors;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0 ||
	    !descriptors_are_enough(result->n_layers))
		return 0;
	processors = (size_t)CPU_COUNT(&set);
	if (processors < 2)
		return 0;
	if (n > processors)
		n = processors;
	return n > THREADS_MAX ? THREADS_MAX : n;
}

int layers_open_all(const struct layers_request *request, struct layers_result *result,
		    const struct mounted_layers *mounted)
{
	struct crew crew = { .request = request, .result = result, .mounted = mounted };
	pthread_t threads[THREADS_MAX];
	size_t wanted = threads_for(result), n = 0;
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
