// Reservation commands and their data, as a host sends them.
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <cstdint>

namespace fulmar::test {

[[nodiscard]] inline nvme::sqe reservation_sqe(nvme::io_opcode opcode,
                                               const nvme::reservation_command& how,
                                               std::uint32_t nsid = 1) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.nsid = nsid;
    nvme::encode_reservation(sqe, how);
    return sqe;
}

/// CRKEY, and NRKEY or PRKEY: two keys lie alike in Register and Acquire; Release takes the first.
[[nodiscard]] inline nvme::reservation_register_data reservation_keys(std::uint64_t current,
                                                                      std::uint64_t other) {
    nvme::reservation_register_data keys{};
    keys.crkey = current;
    keys.nrkey = other;
    return keys;
}

}  // namespace fulmar::test
