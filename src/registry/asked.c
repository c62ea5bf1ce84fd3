/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request while it is answered: what counts of its fields, and where its name leads. */
#include "registry/inside.h"

#include <string.h>

#include "http/fields.h"

struct asked *asked_keep(const struct asked *asked)
{
	struct asked *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *asked;
	view_ref(copy->view);
	return copy;
}

void asked_free(struct asked *asked)
{
	view_unref(asked->view);
	free(asked);
}

/* All fields of this name as one list (RFC 9110, 5.3). False: there is none, or it is longer than any of ours. */
static bool copy_fields(const struct http_request *request, const char *name, char *buffer,
			size_t capacity)
{
	size_t used = 0;

	for (size_t i = 0; i < request->n_fields; i++) {
		const struct http_field *field = &request->fields[i];
		if (!http_text_equal_nocase(field->name, name))
			continue;
		if (used + field->value.size + 2 > capacity) {
			used = 0;
			break;
		}
		if (used > 0)
			buffer[used++] = ',';
		if (field->value.size > 0)
			memcpy(buffer + used, field->value.data, field->value.size);
		used += field->value.size;
	}
	buffer[used] = '\0';
	return used > 0;
}

/* A range counts only for GET, and only if a condition on it can be one of ours. */
static void copy_conditions(const struct http_request *request, struct asked *asked)
{
	copy_fields(request, "If-None-Match", asked->if_none_match, sizeof(asked->if_none_match));
	bool condition = copy_fields(request, "If-Range", asked->if_range, sizeof(asked->if_range));
	copy_fields(request, "Range", asked->range, sizeof(asked->range));
	if (request->method != HTTP_GET || (!condition && http_field_count(request, "If-Range")))
		asked->range[0] = '\0';
}

static bool accepts_only_images(const struct http_request *request)
{
	static const char *const indexes[] = {
		MANIFEST_TYPE_OCI_INDEX,
		MANIFEST_TYPE_DOCKER_INDEX,
	};
	static const char *const images[] = {
		MANIFEST_TYPE_OCI_IMAGE,
		MANIFEST_TYPE_DOCKER_IMAGE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
		if (http_accept_quality(request, indexes[i]) > 0)
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		if (http_accept_quality(request, images[i]) > 0)
			return true;
	return false;
}

void asked_read(struct asked *asked, const struct http_request *request)
{
	asked->wants_image = asked->route.kind == ROUTE_MANIFEST && accepts_only_images(request);
	copy_conditions(request, asked);
}

int asked_resolve(struct asked *asked)
{
	const struct route *route = &asked->route;
	_cleanup_free_ char *registry = NULL;

	if (route->registry[0]) {
		memcpy(asked->registry_name, route->registry, strlen(route->registry) + 1);
		route_repository(route->registry, route->name, asked->repository);
		return 0;
	}
	if (route_split_name(route->name, asked->registry_name, asked->repository) &&
	    (!repository_is_valid(route->name) ||
	     view_has_repository(asked->view, asked->registry_name, asked->repository)))
		return 0;
	memcpy(asked->repository, route->name, strlen(route->name) + 1);
	int r = view_find_registry(asked->view, asked->repository, &registry);
	if (r == -ENOENT && !strchr(route->name, '/')) {
		route_repository(ROUTE_DOCKER_REGISTRY, route->name, asked->repository);
		if (view_has_repository(asked->view, ROUTE_DOCKER_REGISTRY, asked->repository)) {
			registry = strdup(ROUTE_DOCKER_REGISTRY);
			r = registry ? 0 : -ENOMEM;
		}
	}
	if (r < 0)
		return r;
	snprintf(asked->registry_name, sizeof(asked->registry_name), "%s", registry);
	return 0;
}
