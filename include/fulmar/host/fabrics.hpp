// The Connect command and the properties, on any queue.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/execute.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <cstdint>
#include <string>

namespace fulmar::host {

/// Who connects, to what.
struct connect_parameters {
    std::string subnqn = {};
    std::string hostnqn = {};
    nvme::uuid hostid = {};
    std::uint16_t cntlid = nvme::cntlid_dynamic;
    std::uint16_t qid = 0;
    std::uint16_t entries = 32;       ///< of the submission queue (the wire counts from 0)
    std::uint32_t keep_alive_ms = 0;  ///< admin queue only
    bool flow_control = true;
};

[[nodiscard]] nvme::connect_command make_connect_command(const connect_parameters& p) noexcept;
[[nodiscard]] nvme::connect_data make_connect_data(const connect_parameters& p) noexcept;

/// Why a target has refused a Connect, in words, and what to do about it. `dw0` is the answer's.
/// Pure.
[[nodiscard]] error explain_refusal(const connect_parameters& p, nvme::status status,
                                    std::uint32_t dw0);

/// Sends Connect as the first command of `q`. A refusal is a reply.
[[nodiscard]] result<reply> connect_queue(queue& q, const connect_parameters& p,
                                          const deadline& until);
/// The same; the controller id, or the refusal as an error that says which parameter is at fault.
[[nodiscard]] result<std::uint16_t> connect_queue_ok(queue& q, const connect_parameters& p,
                                                     const deadline& until);

[[nodiscard]] nvme::sqe make_property_get(std::uint32_t offset, nvme::property_size size) noexcept;
[[nodiscard]] nvme::sqe make_property_set(std::uint32_t offset, nvme::property_size size,
                                          std::uint64_t value) noexcept;

/// A host's own names: stable on this machine, derived from its machine id.
[[nodiscard]] nvme::uuid default_host_id();
[[nodiscard]] std::string default_host_nqn();

}  // namespace fulmar::host
