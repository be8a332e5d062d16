// Asking a discovery service what there is.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/discovery.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fulmar::host {

/// One record of the log, its texts without padding.
struct discovery_entry {
    std::uint8_t transport = 0;       ///< nvme::trtype, unchecked
    std::uint8_t address_family = 0;  ///< nvme::adrfam, unchecked
    std::uint8_t subtype = 0;         ///< nvme::subsystem_type, unchecked
    std::uint8_t treq = 0;
    std::uint16_t port_id = 0;
    std::uint16_t cntlid = 0;
    std::uint16_t admin_queue_entries = 0;
    std::uint16_t flags = 0;
    std::string address;
    std::string service;
    std::string subnqn;
    std::uint8_t tcp_security = 0;  ///< of a TCP entry
};

struct discovery_log {
    std::uint64_t generation = 0;
    std::uint16_t record_format = 0;
    std::vector<discovery_entry> entries;
};

/// Reads the whole log of a connected discovery controller; starts over when it changed meanwhile.
[[nodiscard]] result<discovery_log> read_discovery_log(controller& c, std::uint8_t lsp = 0);

/// Connects to the discovery subsystem at `options.target` (`subnqn` empty: the well-known one),
/// reads its log and disconnects.
[[nodiscard]] result<discovery_log> discover(controller_options options);

}  // namespace fulmar::host
