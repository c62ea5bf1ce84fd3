# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of larder(1) for bash. Commands and options are asked of the program, so that they are never out of date.

_larder_names() { # first words of the lines of one section of a help text
	sed -n "/^$1:/,/^\$/s/^  \\([a-z][a-z ]*[a-z]\\)  .*/\\1/p"
}

# Does this option of the command take a value? Its line of the help text then has one word behind it.
_larder_takes_value() { # COMMAND OPTION
	local option=${2/#-o/--output}
	# shellcheck disable=SC2086 # a command may be two words
	larder $1 --help 2>/dev/null | grep -q -- "^  $option [^ ]"
}

_larder() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' words i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} != -* ]]; then
			command+=${command:+ }${COMP_WORDS[i]}
		elif [[ ${COMP_WORDS[i]} != *=* ]] && _larder_takes_value "$command" "${COMP_WORDS[i]}"; then
			((i++))
		fi
	done
	case $previous in
	--output | -o)
		if [[ $command != build || $previous = -o ]]; then
			mapfile -t COMPREPLY < <(compgen -W "table json yaml" -- "$current")
			return
		fi
		;;
	--config | --image | --images | --kubeadm-config | --sign)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--root | --config-root | --run-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	esac
	if [[ $current == -* ]]; then
		# shellcheck disable=SC2086 # a command may be two words
		words=$(larder $command --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
	else
		words=$(larder --help 2>/dev/null | _larder_names Commands |
			sed -n "s/^${command:+$command }\\([a-z]*\\).*/\\1/p" | sort -u)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
	[[ ${#COMPREPLY[@]} -gt 0 || $current == -* ]] && return
	if [[ $command == "layers add"* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -X '!*.sqsh' -- "$current"; compgen -d -- "$current")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}
complete -o filenames -F _larder larder
