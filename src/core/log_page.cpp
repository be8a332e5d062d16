// Get Log Page: checks, then the page from its offset on. Reading a page without RAE clears the
// event that pointed to it.
#include "admin_data.hpp"
#include "admin_pages.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>

#include <algorithm>
#include <array>
#include <chrono>

namespace fulmar::core {

namespace sc = nvme::sc;

namespace {

smart_facts smart(const controller& c) noexcept {
    const controller_traffic traffic = c.traffic();
    const auto age = c.home().reactor().now() - c.created();
    return {.reads = traffic.reads,
            .writes = traffic.writes,
            .bytes_read = traffic.bytes_read,
            .bytes_written = traffic.bytes_written,
            .media_errors = c.errors().media_errors(),
            .error_entries = c.errors().count(),
            .age_hours = static_cast<std::uint64_t>(
                std::chrono::duration_cast<std::chrono::hours>(age).count()),
            .health = c.health()};
}

void answer(controller& c, request& r, nvme::lid page, std::uint64_t offset) noexcept {
    const auto send = [&](const auto& data) { c.answer_with(r, nvme::wire_bytes(data), offset); };
    switch (page) {
        case nvme::lid::supported_pages: return send(make_supported_log_pages(c.is_discovery()));
        case nvme::lid::smart: return send(make_smart_log(smart(c)));
        case nvme::lid::firmware_slot: return send(make_firmware_slot());
        case nvme::lid::changed_namespaces:
            return send(
                make_changed_namespaces(c.changed_namespaces(), c.more_namespaces_changed()));
        case nvme::lid::command_effects: return send(make_command_effects());
        case nvme::lid::reservation_notification:
            return send(c.read_reservation_notice(offset == 0));
        case nvme::lid::cross_controller_reset:
            return send(make_cross_reset_page(c.cross_resets(), c.id()));
        case nvme::lid::feature_effects: return send(make_feature_effects(c.is_discovery()));
        case nvme::lid::error_information: {
            // What is behind the entries in use is zeroes, and an entry of zeroes is unused.
            static_assert(error_log::slot_count == error_log_slots);
            const error_log::page newest = c.errors().newest();
            return c.answer_with(r, std::as_bytes(std::span(newest)), offset);
        }
        default:  // all zeroes, since no NVMe-MI command is supported; other rows have a case
            FULMAR_ASSERT(page == nvme::lid::mi_command_effects);
            return c.answer_with(r, {}, offset);
    }
}

// False: the offset lies behind the page's end, and the request has been answered so.
bool answer_ana(controller& c, request& r, const nvme::get_log_page& wanted) noexcept {
    const ana_log log{c.seen(), c.ana_column(), c.ana_log_changes(),
                      (wanted.lsp & nvme::ana_return_groups_only) != 0};
    if (wanted.offset_bytes > log.size_bytes()) {
        c.finish(r, sc::invalid_field.no_retry());
        return false;
    }
    std::array<std::byte, 4096> piece;
    for (std::uint32_t done = 0; done < r.length;) {
        const std::size_t size = std::min<std::size_t>(piece.size(), r.length - done);
        const std::span<std::byte> window = std::span(piece).first(size);
        log.copy(wanted.offset_bytes + done, window);
        r.chain.copy_in(done, window);
        done += static_cast<std::uint32_t>(size);
    }
    c.finish(r, sc::success);
    return true;
}

}  // namespace

void controller::get_log_page(request& r) noexcept {
    const nvme::get_log_page wanted = nvme::decode_get_log_page(r.sqe);
    const nvme::status wrong = check_log_request(wanted, r.sqe.nsid.value(), description());
    if (!nvme::is_success(wrong)) return finish(r, wrong);
    if (wanted.length_bytes > most_log_bytes(wanted.lid, data_rules()))
        return finish(r, sc::invalid_field.no_retry());
    if (wanted.length_bytes != r.length) return finish(r, sc::data_sgl_length_invalid.no_retry());

    const auto page = static_cast<nvme::lid>(wanted.lid);
    if (page == nvme::lid::discovery) return discovery_log(r);
    if (page == nvme::lid::ana) {
        if (!answer_ana(*this, r, wanted)) return;
    } else {
        answer(*this, r, page, wanted.offset_bytes);
    }
    if (!wanted.rae) log_read(page);
}

}  // namespace fulmar::core
