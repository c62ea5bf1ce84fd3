/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/output.h"

#include <ctype.h>
#include <string.h>
#include <wchar.h>
#include <yaml.h>

#include "base/log.h"

static int out_of_memory(void)
{
	log_error("out of memory");
	return EXIT_FAILED;
}

static int print_json(const json_t *value)
{
	if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) < 0)
		return out_of_memory();
	putchar('\n');
	return EXIT_DONE;
}

/* YAML: plain scalars where libyaml says that they mean the same, quoted strings where they would read as something else. */
static bool string_needs_quotes(const char *text)
{
	static const char *const words[] = { "",    "~",  "null", "true", "false",
					     "yes", "no", "on",	  "off" };
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	(void)strtod(text, &end);
	return *end == '\0' || strchr("0123456789.+-", *text) != NULL;
}

static int emit_scalar(yaml_emitter_t *emitter, const char *text, bool quoted)
{
	yaml_event_t event;

	if (!yaml_scalar_event_initialize(
		    &event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), !quoted, 1,
		    quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE))
		return 0;
	return yaml_emitter_emit(emitter, &event);
}

static int emit_value(yaml_emitter_t *emitter, const json_t *value);

static int emit_array(yaml_emitter_t *emitter, const json_t *array)
{
	yaml_event_t event;
	yaml_sequence_style_t style =
		json_array_size(array) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;

	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style) ||
	    !yaml_emitter_emit(emitter, &event))
		return 0;
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!emit_value(emitter, json_array_get(array, i)))
			return 0;
	return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static int emit_object(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;
	yaml_mapping_style_t style =
		json_object_size(object) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
	const char *key;
	json_t *value;

	if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style) ||
	    !yaml_emitter_emit(emitter, &event))
		return 0;
	json_object_foreach ((json_t *)object, key, value)
		if (!emit_scalar(emitter, key, string_needs_quotes(key)) ||
		    !emit_value(emitter, value))
			return 0;
	return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static int emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	if (json_is_array(value))
		return emit_array(emitter, value);
	if (json_is_object(value))
		return emit_object(emitter, value);
	if (json_is_string(value))
		return emit_scalar(emitter, json_string_value(value),
				   string_needs_quotes(json_string_value(value)));
	_cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY);
	return text && emit_scalar(emitter, text, false);
}

static int print_yaml(const json_t *value)
{
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		return out_of_memory();
	yaml_emitter_set_output_file(&emitter, stdout);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	int ok = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
		 yaml_emitter_emit(&emitter, &event) &&
		 yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) &&
		 yaml_emitter_emit(&emitter, &event) && emit_value(&emitter, value) &&
		 yaml_document_end_event_initialize(&event, 1) &&
		 yaml_emitter_emit(&emitter, &event) && yaml_stream_end_event_initialize(&event) &&
		 yaml_emitter_emit(&emitter, &event);
	yaml_emitter_delete(&emitter);
	return ok ? EXIT_DONE : out_of_memory();
}

int output_value(const struct context *context, const json_t *value)
{
	return context->output == OUTPUT_YAML ? print_yaml(value) : print_json(value);
}

int output_verdict(const struct context *context, const json_t *value, bool good)
{
	int status = output_value(context, value);

	return status == EXIT_DONE && !good ? EXIT_FAILED : status;
}

int output_escaped(FILE *f, const char *text, size_t length)
{
	int written = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f)
			written += fprintf(f, "\\x%02x", c);
		else
			written += fputc(c, f) != EOF;
	}
	return written;
}

static void write_cell(FILE *f, const json_t *value)
{
	if (!value || json_is_null(value))
		return;
	if (json_is_string(value))
		output_escaped(f, json_string_value(value), json_string_length(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", f);
	else if (json_is_integer(value))
		fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		fprintf(f, "%g", json_real_value(value));
	else if (json_is_array(value))
		for (size_t i = 0; i < json_array_size(value); i++) {
			fputs(i ? "," : "", f);
			write_cell(f, json_array_get(value, i));
		}
}

static char *cell_text(const json_t *row, const char *key)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	write_cell(f, json_object_get(row, key));
	if (fclose(f) != 0 || !text)
		return NULL;
	if (*text == '\0') {
		free(text);
		text = strdup("-");
	}
	return text;
}

/* Code points stand for columns: good enough without a locale. */
static int text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void print_cell(const char *text, int width, bool right, bool last)
{
	int padding = width - text_width(text);

	if (right)
		printf("%*s%s", padding, "", text);
	else
		printf("%s%*s", text, last ? 0 : padding, "");
	fputs(last ? "\n" : "  ", stdout);
}

int output_table(const json_t *rows, const struct column *columns, size_t n_columns)
{
	size_t n_rows = json_array_size(rows);
	_cleanup_free_ char **cells = calloc(n_rows * n_columns + 1, sizeof(char *));
	_cleanup_free_ int *widths = calloc(n_columns, sizeof(int));
	int status = EXIT_DONE;

	if (!cells || !widths)
		return out_of_memory();
	for (size_t c = 0; c < n_columns; c++)
		widths[c] = text_width(columns[c].heading);
	for (size_t i = 0; i < n_rows * n_columns && status == EXIT_DONE; i++) {
		size_t c = i % n_columns;
		cells[i] = cell_text(json_array_get(rows, i / n_columns), columns[c].key);
		if (!cells[i])
			status = out_of_memory();
		else if (text_width(cells[i]) > widths[c])
			widths[c] = text_width(cells[i]);
	}
	if (status == EXIT_DONE) {
		for (size_t c = 0; c < n_columns; c++)
			print_cell(columns[c].heading, widths[c], columns[c].right,
				   c == n_columns - 1);
		for (size_t i = 0; i < n_rows * n_columns; i++) {
			size_t c = i % n_columns;
			print_cell(cells[i], widths[c], columns[c].right, c == n_columns - 1);
		}
	}
	for (size_t i = 0; i < n_rows * n_columns; i++)
		free(cells[i]);
	return status;
}

int output_rows(const struct context *context, const json_t *value, const json_t *rows,
		const struct column *columns, size_t n_columns)
{
	if (context->output == OUTPUT_TABLE)
		return output_table(rows, columns, n_columns);
	return output_value(context, value);
}
