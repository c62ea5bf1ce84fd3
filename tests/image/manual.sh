#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs say of themselves, what the manual says of them, and what the shell completes, are the same: every command, every option,
# every unit, in both directions.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires mandoc
man=$LARDER_SOURCE/man

commands() { larder --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p'; }
options() { sed -n "/^$1/,/^\$/s/^  --\\([a-z-]*\\).*/\\1/p"; }
page_options() { # FILE: what .Fl names, but short options
	grep -oE '\bFl (-|Fl )[a-z][a-z-]*' "$1" | sed 's/Fl -//; s/Fl Fl //' | sort -u
}
page_of() { # COMMAND
	case $1 in
	boot | stop) echo "$man/larder-boot.8" ;;
	*) echo "$man/larder-${1%% *}.1" ;;
	esac
}
commands >"$T/commands"
check_equal "there are commands" "$([ "$(wc -l <"$T/commands")" -ge 20 ] && echo many)" many
common=$(larder status --help | options 'Options of all' | sort -u)
check_equal "options of all commands are in larder(1)" "$(comm -23 <(echo "$common") <(page_options "$man/larder.1") | xargs)" ""
check_equal "and larder(1) has no other" "$(comm -13 <(echo "$common") <(page_options "$man/larder.1") | xargs)" ""

declare -A of_page
while read -r command; do
	page=$(page_of "$command")
	check "$command has its page" test -e "$page"
	# shellcheck disable=SC2086
	own=$(larder $command --help | options 'Options:' | sort -u)
	of_page[$page]+=$'\n'$own
	check_equal "$command: every option is in ${page##*/}" "$(comm -23 <(echo "$own" | grep .) <(page_options "$page") | xargs)" ""
	named=$(mandoc -T ascii "$page" | sed 's/.\x08//g' | grep -cE "(^|[^a-z])${command##* }([^a-z]|\$)")
	[ "$named" -gt 0 ]
	status=0 verdict $? "$command: the page names it"
done <"$T/commands"
for page in "${!of_page[@]}"; do
	program=$(larder-boot --help | grep -oE -- '--[a-z-]+' | sed 's/^--//')
	[ "${page##*/}" = larder-boot.8 ] || program=
	known=$(printf '%s\n' "${of_page[$page]}" "$common" "$program" | grep . | sort -u)
	check_equal "${page##*/} has no option that there is not" "$(comm -13 <(echo "$known") <(page_options "$page") | xargs)" ""
done
check_equal "every option of larderd is in larderd(8)" \
	"$(comm -23 <(larderd --help | sed -n 's/^  --\([a-z-]*\).*/\1/p' | sort -u) <(page_options "$man/larderd.8") | xargs)" ""
check_equal "and larderd(8) has no other" \
	"$(comm -13 <(larderd --help | sed -n 's/^  --\([a-z-]*\).*/\1/p' | sort -u) <(page_options "$man/larderd.8") | xargs)" ""
check_equal "every option of larder-boot is in larder-boot(8)" \
	"$(comm -23 <(larder-boot --help | grep -oE -- '--[a-z-]+' | sed 's/^--//' | sort -u) <(page_options "$man/larder-boot.8") | xargs)" ""

said() { check_output "$1: and said so" "^larder: there is no command \"$1\"$2"; }
check_status 2 "a command that is none" larder statsu
said statsu '; did you mean "status"\?'
check_status 2 "a first word that is none" larder confg show
said confg '; did you mean "config show"\?'
for wrong in 'config shwo' 'images verfy' 'layers lst' 'volume plna'; do
	# shellcheck disable=SC2086
	check_status 2 "a second word that is none" larder $wrong
	said "$wrong" "; did you mean \"${wrong% *} (show|verify|list|plan)\"\\?"
done
check_status 2 "one that is near to none" larder images bogus
said 'images bogus' '; there are:'
check_equal "and those that there are" "$(sed -n 's/^  \(images [a-z]*\) .*/\1/p' "$T/out")" "$(grep '^images ' "$T/commands")"
check_status 2 "options may stand between" larder images --output json bogus
check_output "and the argument is too much" '"bogus" is one argument too many'
check_status 2 "a first word alone" larder volume
check_output "and the second words that there are" '^  volume plan  '
check_status 2 "an option before the second word" larder volume --output json plan
check_output "is said" '^larder: "volume" needs a second word, before any option'
check_status 2 "no command" larder
check_equal "prints nothing for programs" "$(cat "$T/stdout")" ""
for family in $(grep ' ' "$T/commands" | cut -d' ' -f1 | sort -u); do
	for help in --help -h; do
		check "larder $family $help" larder "$family" $help
		check_equal "has all its commands" "$(sed -n "s/^  \($family [a-z]*\) .*/\1/p" "$T/stdout")" "$(grep "^$family " "$T/commands")"
	done
done
check "help of larder build" larder build --help
check_equal "has each option once" "$(sed -n 's/^  \(-[a-z-]*\) .*/\1/p' "$T/stdout" | sort | uniq -d)" ""
check_status 2 "and -o is not its --output" larder build -o a.sqsh
check_output "as the message says" '^larder: -o is table, json or yaml, not "a.sqsh"'

for unit in "$LARDER_SOURCE"/units/*.{service.in,socket,target,timer}; do
	name=$(basename "${unit%.in}")
	check "larder-units(7) has $name" grep -qF "$name" "$man/larder-units.7"
done
for suffix in .sqsh .sqsh.sha256 .sqsh.sig .verity larder/layers/; do
	check "larder-layer(5) has $suffix" grep -qF -- "$suffix" "$man/larder-layer.5"
done
pages=$(cd "$man" && echo ./*.[1-8])
for reference in $(grep -hoE '^\.Xr larder[a-z.-]* [1-8]' "$man"/*.[1-8] | awk '{ print $2 "." $3 }' | sort -u); do
	case $pages in *"/$reference "* | *"/$reference") found=0 ;; *) found=1 ;; esac
	verdict $found "$reference, which a page refers to, is there"
done
check_equal "no quotation is inside of another, where commas were meant" "$(grep -nE '^\.(Qq|Dq|Sq|Pq) .* (Qq|Dq|Sq) ' "$man"/*.[1-8])" ""
for page in "$man"/*.[1-8]; do
	check "${page##*/} is installed" grep -qF "man/${page##*/}" "$man/Makefile.inc" "$LARDER_SOURCE"/src/*/Makefile.inc
done

complete_with() { # WORDS…: what the last word can become
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	_larder
	printf '%s\n' "${COMPREPLY[@]}" | sort -u
}
# shellcheck source=/dev/null
. "$LARDER_SOURCE/units/larder.bash"
check_equal "every first word is completed" "$(complete_with larder '')" "$(cut -d' ' -f1 "$T/commands" | sort -u)"
while read -r command; do
	# shellcheck disable=SC2206
	words=($command)
	[ ${#words[@]} = 1 ] || check_equal "$command: its second word" \
		"$(complete_with larder "${words[0]}" "${words[1]}")" "${words[1]}"
	# shellcheck disable=SC2086
	# shellcheck disable=SC2086
	check "$command: help names the page" test -e "$man/$(larder $command --help | sed -n 's/.* See \(.*\)(\([0-9]\))\.$/\1.\2/p')"
	check_equal "$command: all its options" "$(complete_with larder $command --)" \
		"$(larder $command --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort -u)"
done <"$T/commands"
check_equal "behind an option with a value" "$(complete_with larder --output json stat)" status
check_equal "what larder build prints" "$(complete_with larder build -o y)" yaml
mkdir -p "$T/files/sub" && touch "$T/files/"{a.sqsh,b.txt}
check_equal "files of layers, and directories" "$(complete_with larder layers add "$T/files/")" "$(printf '%s\n' "$T/files/a.sqsh" "$T/files/sub")"
check_equal "behind one between the words" "$(complete_with larder --root / images def)" default
done_testing
