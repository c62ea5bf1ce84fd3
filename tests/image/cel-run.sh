#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# cel-run: the examples of the reference evaluator, and input that is none.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires jq
examples=$LARDER_SOURCE/../shared/cel-examples.jsonl

# Exceptions: expressions whose answer differs from the reference evaluator's on purpose, each with its reason. There are none.
if [ -r "$examples" ]; then
	cel-run <"$examples" >"$T/got" 2>"$T/errors"
	check_equal "cel-run reads the examples to their end" "$?" 0
	check_equal "it says nothing to standard error" "$(cat "$T/errors")" ""
	jq -cS .expect "$examples" >"$T/wanted"
	jq -cS 'del(.error)' "$T/got" >"$T/answers"
	check_equal "there is one answer for each line" "$(wc -l <"$T/answers")" "$(wc -l <"$examples")"
	check "all answers are those of the reference evaluator" diff "$T/wanted" "$T/answers"
	jq -r 'select(.phase != "ok" and (.error | length) < 10)' "$T/got" >"$T/silent"
	check_equal "every failure says why" "$(cat "$T/silent")" ""
else
	echo "ok $((++tap_count)) - the examples of the reference evaluator # SKIP $examples is not there"
fi

# One answer for each line, whatever the line is.
{
	printf '\n'
	printf 'garbage\n'
	printf '{"expr": "1 + 1"\n'
	printf '[]\n'
	printf '{"env": "disk"}\n'
	printf '{"env": "disk", "expr": 7}\n'
	printf '{"env": "nowhere", "expr": "1 + 1"}\n'
	printf '{"env": "disk", "expr": "disk.size > 1u", "type": "bool"}\n'
	printf '{"env": "disk", "expr": "disk.size", "disk": {"size": "99999999999999999999", "symlinks": 3}}\n'
	printf '\xff\xfe\n'
	printf '{"expr": "\\u0000"}\n'
	printf '{"expr": "\x27a\\u0000b\x27.size()"}\n'
	head -c 3000000 /dev/zero | tr '\0' '['
	printf '\n{"expr": "'
	head -c 3000000 /dev/zero | tr '\0' '('
	printf '"}\n{"expr": "'
	head -c 90000 /dev/zero | tr '\0' '('
	printf '"}\n{"expr": "2"}'
} >"$T/odd"
cel-run <"$T/odd" >"$T/got"
check_equal "cel-run survives garbage" "$?" 0
check_equal "it answers each line, one by one" "$(jq -r '.phase' "$T/got" | tr '\n' ' ')" \
	"parse parse parse parse parse parse ok eval ok parse parse ok parse parse parse ok "
check_equal "NUL is a character like others" "$(sed -n 12p "$T/got" | jq -r .value.int64Value)" 3

# What a selector of 1,000 characters may take (CEL_PROGRAM_BYTES, CEL_EVAL_BYTES): lists and strings that double.
{
	printf '{"expr": "[\x27aaaaaaaa\x27]'
	for _ in $(seq 40); do printf '.map(x, x + x)'; done
	printf '"}\n{"expr": "[[1]'
	for _ in $(seq 40); do printf '.map(x, [x, x])'; done
	printf '].exists(v, v == v)"}\n{"expr": "[[1]'
	for _ in $(seq 40); do printf '.map(x, [x, x])'; done
	printf '].size()"}\n'
} >"$T/doubling"
cel-run <"$T/doubling" >"$T/got"
check_equal "an evaluation has limits, and values that share their parts are cheap" \
	"$(jq -r '.phase + " " + (.error // "none" | split("\n")[0] | gsub("[0-9]+"; "N"))' "$T/got" | tr '\n' ';')" \
	"eval the evaluation takes more memory than N KiB;eval the evaluation takes more than N steps;ok none;"
done_testing
