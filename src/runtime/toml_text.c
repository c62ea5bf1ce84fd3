/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings of TOML: read and written. */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "runtime/toml.h"

/* \uXXXX and \UXXXXXXXX as UTF-8. */
static int write_escape(FILE *f, const char **at)
{
	static const char letters[] = "btnfre\"\\", meanings[] = "\b\t\n\f\r\033\"\\";
	char letter = *(*at)++;
	const char *found = letter ? strchr(letters, letter) : NULL;

	if (found) {
		fputc(meanings[found - letters], f);
		return 0;
	}
	int digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
	unsigned point = 0;
	for (int i = 0; i < digits; i++, (*at)++) {
		if (!isxdigit((unsigned char)**at))
			return -EINVAL;
		point = point * 16 + (unsigned)(isdigit((unsigned char)**at)
							? **at - '0'
							: tolower((unsigned char)**at) - 'a' + 10);
	}
	if (digits == 0 || point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return -EINVAL;
	if (point < 0x80)
		fputc((int)point, f);
	else if (point < 0x800)
		fprintf(f, "%c%c", 0xc0 | point >> 6, 0x80 | (point & 0x3f));
	else if (point < 0x10000)
		fprintf(f, "%c%c%c", 0xe0 | point >> 12, 0x80 | (point >> 6 & 0x3f),
			0x80 | (point & 0x3f));
	else
		fprintf(f, "%c%c%c%c", 0xf0 | point >> 18, 0x80 | (point >> 12 & 0x3f),
			0x80 | (point >> 6 & 0x3f), 0x80 | (point & 0x3f));
	return 0;
}

int toml_read_string(const char **at, char **ret)
{
	_cleanup_free_ char *text = NULL;
	char quote = *(*at)++;
	size_t size;
	int r = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	while (r == 0 && **at != quote) {
		if (**at == '\0' || **at == '\n')
			r = -EINVAL;
		else if (quote == '"' && **at == '\\') {
			(*at)++;
			r = write_escape(f, at);
		} else {
			fputc(*(*at)++, f);
		}
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	if (r < 0)
		return r;
	(*at)++;
	*ret = TAKE_PTR(text);
	return 0;
}

char *toml_quote(const char *text)
{
	return text_quote(text, TEXT_ESCAPE_U);
}
