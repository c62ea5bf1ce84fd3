#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The boot reached multi-user.target with larder.target enabled: what any machine must do, whatever its cache does.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
done_testing
