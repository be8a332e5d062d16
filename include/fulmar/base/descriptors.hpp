// File descriptors: as many as the system allows, and some of them kept from peers, so that the
// control plane can go on when hosts have taken the rest.
#pragma once

#include <cstdint>

namespace fulmar::descriptors {

/// Raises this process's limit as far as it may; returns what it is then.
/// Called on: main thread, once, before others are there.
std::uint64_t raise_limit() noexcept;

/// False when a descriptor that was just opened for a peer is one of those in reserve: the kernel
/// gives the lowest free number, so that a high one says how many are in use.
/// Called on: any thread.
[[nodiscard]] bool is_for_peers(int fd) noexcept;

}  // namespace fulmar::descriptors
