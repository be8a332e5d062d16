// EAL's own lines, in our log.
#pragma once

namespace fulmar::mem {

/// Sends what EAL logs to spdlog from now on (EAL's default is stderr and syslog).
/// Called on: control thread, before rte_eal_init.
bool forward_eal_log() noexcept;

}  // namespace fulmar::mem
