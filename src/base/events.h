/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_EVENTS_H
#define LARDER_BASE_EVENTS_H
/*
 * MESSAGE_ID values (sd-id128(3), made once with "systemd-id128 new"), so that journalctl MESSAGE_ID=… finds
 * what happened. larder-units(7) explains each one. Never reuse or change one.
 */
#define EVENT_CONFIG_INVALID	 "5b1ee64a4a2c4f0b9d5f6c0a3f5e8d01"
#define EVENT_VOLUME_FAILED	 "c0d2b1f6a9ad4b6f8a6f0b4a7f5b1c02"
#define EVENT_NO_DISK_MATCHED	 "0c3f7a51be0b4c28a8c7e2f15d0fd503"
#define EVENT_VOLUME_PROVISIONED "7f2c6c8e5a604b0b9a53b86e1a2a9204"
#define EVENT_MEDIUM_FAILED	 "a86f2d4790f34a53b5ac6f6b7f0d1e05"
#define EVENT_MEDIUM_UNTRUSTED	 "3de17fbc3c9a4f38837a1b5a6f9a8f06"
#define EVENT_LAYER_BROKEN	 "e2b9de9bd8cc4b9eb0a4f6c7f4c51d07"
#define EVENT_BLOB_CORRUPT	 "1f9b5d0d3f1f4d50a70e5b8b9c3e6a08"
#define EVENT_RUNTIME_FAILED	 "b4a83b7be5c74c5a9a8f3cdde6e1f209"
#define EVENT_BOOT_FINISHED	 "94c5e3b2f6d84c1d8b1f2a7d6e0b3c0a"

#endif
