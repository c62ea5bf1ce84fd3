/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cel-run: evaluates expressions, one JSON object a line from standard input, and writes what came out, one JSON object a line:
 *
 *	{"env": "disk", "expr": "disk.size > 1u", "type": "bool", "disk": {"size": "2"}, "system_disk": false}
 *	{"phase":"ok","type":"bool","value":{"boolValue":true}}
 *
 * env: "disk" or "volume" (the environments of selectors), anything else: the language alone. type: "bool" demands that result. phase:
 * ok, parse, check, type, eval. It never stops before the input does.
 */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cel/cel.h"
#include "cel/number.h"
#include "cel/selector_fields.h"
#include "cel/time.h"
#include "cel/utf8.h"

#define VALUES_MAX                                                                                 \
	1000000 /* written for one expression; lists can hold themselves many times over */

struct writer {
	FILE *f;
	unsigned left;
};

static void write_text(FILE *f, const char *s, size_t length)
{
	const char *end = s + length;
	uint32_t step;

	fputc('"', f);
	for (; s < end; s += step) {
		uint32_t c = utf8_decode(s, end, &step);
		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", (char)c);
		else if (c < 0x20 || c == 0x7f || (c == UTF8_REPLACEMENT && step == 1))
			fprintf(f, "\\u%04x", c);
		else
			fwrite(s, 1, step, f);
	}
	fputc('"', f);
}

static void write_base64(FILE *f, const unsigned char *s, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	fputc('"', f);
	for (size_t i = 0; i < length; i += 3) {
		unsigned a = s[i], b = i + 1 < length ? s[i + 1] : 0,
			 c = i + 2 < length ? s[i + 2] : 0;
		fputc(digits[a >> 2], f);
		fputc(digits[(a & 3) << 4 | b >> 4], f);
		fputc(i + 1 < length ? digits[(b & 15) << 2 | c >> 6] : '=', f);
		fputc(i + 2 < length ? digits[c & 63] : '=', f);
	}
	fputc('"', f);
}

static void write_double(FILE *f, double d)
{
	char text[NUMBER_TEXT_MAX];

	if (isnan(d))
		fputs("\"NaN\"", f);
	else if (isinf(d))
		fputs(d < 0 ? "\"-Infinity\"" : "\"Infinity\"", f);
	else
		fwrite(text, 1, number_format_double(d, false, text), f);
}

/* Decimals in threes, as protobuf's JSON has them. */
static void write_decimals(FILE *f, uint32_t nanoseconds)
{
	if (nanoseconds == 0)
		return;
	if (nanoseconds % 1000000 == 0)
		fprintf(f, ".%03u", nanoseconds / 1000000);
	else if (nanoseconds % 1000 == 0)
		fprintf(f, ".%06u", nanoseconds / 1000);
	else
		fprintf(f, ".%09u", nanoseconds);
}

#define ANY "{\"@type\":\"type.googleapis.com/"

static void write_duration(FILE *f, int64_t i)
{
	uint64_t magnitude = i < 0 ? -(uint64_t)i : (uint64_t)i;

	fprintf(f, ANY "google.protobuf.Duration\",\"value\":\"%s%llu", i < 0 ? "-" : "",
		(unsigned long long)(magnitude / NANOSECONDS));
	write_decimals(f, (uint32_t)(magnitude % NANOSECONDS));
	fputs("s\"}", f);
}

static void write_timestamp(FILE *f, const struct cel_value *v)
{
	struct civil t = civil_from_seconds(v->i);

	fprintf(f, ANY "google.protobuf.Timestamp\",\"value\":\"%04d-%02u-%02uT%02u:%02u:%02u",
		(int)t.year, t.month, t.day, t.hour, t.minute, t.second);
	write_decimals(f, v->length);
	fputs("Z\"}", f);
}

/* io_size → ioSize */
static void write_json_name(FILE *f, const char *name)
{
	fputc('"', f);
	for (; *name; name++) {
		if (*name == '_' && name[1])
			fputc(*++name - 'a' + 'A', f);
		else
			fputc(*name, f);
	}
	fputs("\":", f);
}

static void write_field(FILE *f, const void *p, enum cel_field_kind kind)
{
	const char *const *strings;

	switch (kind) {
	case CEL_FIELD_BOOL:
		fputs("true", f);
		break;
	case CEL_FIELD_UINT:
		fprintf(f, "\"%llu\"", (unsigned long long)*(const uint64_t *)p);
		break;
	case CEL_FIELD_STRING:
		write_text(f, *(const char *const *)p, strlen(*(const char *const *)p));
		break;
	default:
		strings = *(const char *const *const *)p;
		for (size_t i = 0; strings && strings[i]; i++) {
			fputc(i > 0 ? ',' : '[', f);
			write_text(f, strings[i], strlen(strings[i]));
		}
		fputc(']', f);
	}
}

static bool is_set(const void *p, enum cel_field_kind kind)
{
	switch (kind) {
	case CEL_FIELD_BOOL:
		return *(const bool *)p;
	case CEL_FIELD_UINT:
		return *(const uint64_t *)p != 0;
	case CEL_FIELD_STRING:
		return **(const char *const *)p != '\0';
	default:
		return *(const char *const *const *)p && **(const char *const *const *)p;
	}
}

static void write_object(FILE *f, const struct cel_object *o)
{
	fprintf(f, ANY "%s\"", o->type->name);
	for (size_t i = 0; i < o->type->n_fields; i++) {
		const struct cel_field *field = &o->type->fields[i];
		const void *p = (const char *)o->data + field->offset;
		if (!is_set(p, field->kind))
			continue;
		fputc(',', f);
		write_json_name(f, field->name);
		write_field(f, p, field->kind);
	}
	fputc('}', f);
}

static void write_value(struct writer *w, const struct cel_value *v);

static void write_list(struct writer *w, const struct cel_value *v)
{
	fputs("{\"listValue\":{", w->f);
	for (uint32_t i = 0; i < v->length; i++) {
		fputs(i > 0 ? "," : "\"values\":[", w->f);
		write_value(w, &v->list->items[i]);
	}
	fputs(v->length > 0 ? "]}}" : "}}", w->f);
}

static void write_map(struct writer *w, const struct cel_value *v)
{
	fputs("{\"mapValue\":{", w->f);
	for (uint32_t i = 0; i < v->length; i++) {
		fputs(i > 0 ? ",{\"key\":" : "\"entries\":[{\"key\":", w->f);
		write_value(w, &v->map->entries[2 * i]);
		fputs(",\"value\":", w->f);
		write_value(w, &v->map->entries[2 * i + 1]);
		fputc('}', w->f);
	}
	fputs(v->length > 0 ? "]}}" : "}}", w->f);
}

static void write_plain(FILE *f, const struct cel_value *v)
{
	switch (v->kind) {
	case CEL_BOOL:
		fprintf(f, "{\"boolValue\":%s", v->b ? "true" : "false");
		break;
	case CEL_INT:
		fprintf(f, "{\"int64Value\":\"%lld\"", (long long)v->i);
		break;
	case CEL_UINT:
		fprintf(f, "{\"uint64Value\":\"%llu\"", (unsigned long long)v->u);
		break;
	case CEL_DOUBLE:
		fputs("{\"doubleValue\":", f);
		write_double(f, v->d);
		break;
	case CEL_STRING:
		fputs("{\"stringValue\":", f);
		write_text(f, v->s, v->length);
		break;
	case CEL_BYTES:
		fputs("{\"bytesValue\":", f);
		write_base64(f, (const unsigned char *)v->s, v->length);
		break;
	case CEL_TYPE:
		fprintf(f, "{\"typeValue\":\"%s\"", cel_type_name(v->type));
		break;
	case CEL_TIMESTAMP:
	case CEL_DURATION:
	case CEL_OBJECT:
		fputs("{\"objectValue\":", f);
		if (v->kind == CEL_TIMESTAMP)
			write_timestamp(f, v);
		else if (v->kind == CEL_DURATION)
			write_duration(f, v->i);
		else
			write_object(f, v->object);
		break;
	default:
		fputs("{\"nullValue\":null", f);
	}
	fputc('}', f);
}

static void write_value(struct writer *w, const struct cel_value *v)
{
	if (w->left == 0) {
		fputs("{\"nullValue\":null}", w->f);
		return;
	}
	w->left--;
	if (v->kind == CEL_LIST)
		write_list(w, v);
	else if (v->kind == CEL_MAP)
		write_map(w, v);
	else
		write_plain(w->f, v);
}

/* A member by its name or by its lowerCamelCase form. */
static const json_t *member(const json_t *object, const char *name)
{
	char camel[64];
	size_t n = 0;
	const json_t *found = json_object_get(object, name);

	for (const char *s = name; *s && n < sizeof(camel) - 1; s++)
		camel[n++] = *s == '_' && s[1] ? (char)(*++s - 'a' + 'A') : *s;
	camel[n] = '\0';
	return found ? found : json_object_get(object, camel);
}

static uint64_t to_uint(const json_t *v)
{
	uint64_t u = 0;

	if (json_is_string(v))
		number_parse_uint(json_string_value(v), (uint32_t)json_string_length(v), &u);
	else if (json_is_integer(v))
		u = (uint64_t)json_integer_value(v);
	else if (json_is_real(v) && json_real_value(v) >= 0 && json_real_value(v) < 0x1p64)
		u = (uint64_t)json_real_value(v);
	return u;
}

static const char *const *to_strings(const json_t *array)
{
	size_t n = json_array_size(array);
	const char **strings = calloc(n + 1, sizeof(*strings));

	for (size_t i = 0; strings && i < n; i++) {
		const char *s = json_string_value(json_array_get(array, i));
		strings[i] = s ? s : "";
	}
	return strings;
}

static void read_object(const struct cel_object_type *type, const json_t *json, void *data)
{
	memset(data, 0, type->size);
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct cel_field *field = &type->fields[i];
		const json_t *v = member(json, field->name);
		void *p = (char *)data + field->offset;
		if (field->kind == CEL_FIELD_BOOL)
			*(bool *)p = json_is_true(v);
		else if (field->kind == CEL_FIELD_UINT)
			*(uint64_t *)p = to_uint(v);
		else if (field->kind == CEL_FIELD_STRING)
			*(const char **)p = json_is_string(v) ? json_string_value(v) : "";
		else
			*(const char *const **)p = to_strings(v);
	}
}

static void free_object(const struct cel_object_type *type, void *data)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (type->fields[i].kind == CEL_FIELD_STRINGS)
			free(*(char ***)((char *)data + type->fields[i].offset));
}

struct input {
	struct disk_fields disk;
	struct volume_fields volume;
	struct cel_object disk_object, volume_object;
	struct cel_value values[SELECTOR_N_VARIABLES];
};

static void read_input(const json_t *line, struct input *in)
{
	const json_t *disk = json_object_get(line, "disk"),
		     *volume = json_object_get(line, "volume");
	const json_t *system_disk = json_object_get(line, "system_disk");

	memset(in->values, 0, sizeof(in->values)); /* CEL_ERROR: unbound */
	read_object(&selector_disk_type, disk, &in->disk);
	read_object(&selector_volume_type, volume, &in->volume);
	in->disk_object = (struct cel_object){ &selector_disk_type, &in->disk };
	in->volume_object = (struct cel_object){ &selector_volume_type, &in->volume };
	if (json_is_object(disk))
		in->values[SELECTOR_VAR_DISK] = cel_value_object(&in->disk_object);
	if (json_is_object(volume))
		in->values[SELECTOR_VAR_VOLUME] = cel_value_object(&in->volume_object);
	if (json_is_boolean(system_disk))
		in->values[SELECTOR_VAR_SYSTEM_DISK] = cel_value_bool(json_is_true(system_disk));
}

static void write_error(FILE *f, const char *phase, const char *type, struct diag *d)
{
	const char *text = diag_text(d);

	fprintf(f, "{\"phase\":\"%s\"", phase);
	if (type)
		fprintf(f, ",\"type\":\"%s\"", type);
	fputs(",\"error\":", f);
	write_text(f, text, strlen(text));
	fputs("}\n", f);
}

static void evaluate(FILE *f, const struct cel_program *program, const struct cel_value *values)
{
	_cleanup_diag_ struct diag d = DIAG_INIT;
	_cleanup_free_ char *type = cel_type_format(cel_program_type(program));
	struct cel_result result;
	struct writer w = { f, VALUES_MAX };

	if (cel_eval(program, values, &result, &d) < 0) {
		write_error(f, "eval", type, &d);
		return;
	}
	fprintf(f, "{\"phase\":\"ok\",\"type\":\"%s\",\"value\":", type ? type : "dyn");
	write_value(&w, &result.value);
	fputs("}\n", f);
	cel_result_done(&result);
}

static const struct cel_env *environment(const json_t *line)
{
	static const struct cel_env empty = { 0 };
	const char *name = json_string_value(json_object_get(line, "env"));

	if (name && strcmp(name, "disk") == 0)
		return selector_env(SELECTOR_DISK);
	if (name && strcmp(name, "volume") == 0)
		return selector_env(SELECTOR_VOLUME);
	return &empty;
}

static void run(FILE *f, const json_t *line)
{
	static const char *const phases[] = { "parse", "check", "type" };
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	const json_t *expr = json_object_get(line, "expr");
	const char *wanted = json_string_value(json_object_get(line, "type"));
	bool demands_bool = wanted && strcmp(wanted, "bool") == 0;
	enum cel_phase phase = CEL_PHASE_PARSE;
	struct input in;

	if (!json_is_string(expr)) {
		diag_set(&d, -EINVAL, "the line has no expression");
		write_error(f, "parse", NULL, &d);
		return;
	}
	int r = cel_compile(environment(line), json_string_value(expr), json_string_length(expr),
			    demands_bool ? &cel_bool : NULL, &program, &phase, &d);
	if (r < 0) {
		_cleanup_free_ char *type =
			program ? cel_type_format(cel_program_type(program)) : NULL;
		write_error(f, phases[phase], type, &d);
		return;
	}
	read_input(line, &in);
	evaluate(f, program, in.values);
	free_object(&selector_disk_type, &in.disk);
	free_object(&selector_volume_type, &in.volume);
}

static void run_line(FILE *f, const char *text, size_t length)
{
	_cleanup_diag_ struct diag d = DIAG_INIT;
	json_error_t error;
	json_t *line = json_loadb(text, length, JSON_ALLOW_NUL, &error);

	if (json_is_object(line)) {
		run(f, line);
	} else {
		diag_set(&d, -EINVAL, "the line is no JSON object: %s", line ? "" : error.text);
		write_error(f, "parse", NULL, &d);
	}
	json_decref(line);
}

int main(void)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, stdin)) >= 0) {
		if (length > 0 && line[length - 1] == '\n')
			length--;
		run_line(stdout, line, (size_t)length);
	}
	return fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
