#include "reservation_report.hpp"

#include <fulmar/base/mutation.hpp>
#include <fulmar/nvme/endian.hpp>
#include <fulmar/nvme/fabrics.hpp>

#include <algorithm>

namespace fulmar::core {

namespace {

constexpr std::size_t header_bytes = sizeof(nvme::reservation_status_extended);
constexpr std::size_t entry_bytes = sizeof(nvme::registered_controller_extended);
static_assert(header_bytes == entry_bytes, "the report is cut into pieces of one size");

nvme::reservation_status_extended header_of(const reservation_state& state,
                                            std::size_t registrants) noexcept {
    nvme::reservation_status_extended header{};
    header.basic.generation = state.generation;
    header.basic.type = static_cast<std::uint8_t>(state.type);
    header.basic.registrants = static_cast<std::uint16_t>(registrants);
    header.basic.ptpls = state.persistent ? 1 : 0;
    return header;
}

nvme::registered_controller_extended entry_of(const reservation_state& state,
                                              const registrant& of) noexcept {
    nvme::registered_controller_extended entry{};
    entry.cntlid = nvme::cntlid_dynamic;
    if (state.is_held_by(of.host)) entry.rcsts = nvme::registrant_holds_reservation;
    entry.rkey = of.key;
    entry.hostid = of.host.bytes;
    return entry;
}

}  // namespace

nvme::status check_reservation_report(const nvme::sqe& command) noexcept {
    return nvme::decode_reservation_report(command).extended
               ? nvme::sc::success
               : nvme::sc::host_id_inconsistent.no_retry();
}

std::size_t reservation_report_bytes(const reservation_state& state) noexcept {
    return header_bytes + state.registrants.size() * entry_bytes;
}

std::size_t write_reservation_report(const reservation_state& state, std::size_t offset,
                                     std::span<std::byte> to) noexcept {
    const std::size_t all = reservation_report_bytes(state);
    if (offset >= all) return 0;
    const std::size_t wanted = std::min(all - offset, to.size());
    const std::size_t told = mutated(mutation::cut_reports_count_what_fits)
                                 ? (offset + wanted) / entry_bytes - 1
                                 : state.registrants.size();
    for (std::size_t done = 0; done < wanted;) {
        const std::size_t piece = (offset + done) / entry_bytes;
        const std::size_t skipped = (offset + done) % entry_bytes;
        const std::size_t length = std::min(entry_bytes - skipped, wanted - done);
        const auto copy = [&](const auto& wire) {
            const auto bytes = nvme::wire_bytes(wire).subspan(skipped, length);
            std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(done));
        };
        if (piece == 0)
            copy(header_of(state, told));
        else
            copy(entry_of(state, state.registrants[piece - 1]));
        done += length;
    }
    return wanted;
}

}  // namespace fulmar::core
