// The commands of a controller's admin queue, one function each.
#include <fulmar/host/controller.hpp>

#include <algorithm>

namespace fulmar::host {

namespace {

/// Log pages are read in pieces that any controller takes.
constexpr std::uint64_t log_piece_bytes = 4096;

command make_command(nvme::admin_opcode opcode, std::uint32_t nsid,
                     transfer direction = transfer::none, std::span<std::byte> data = {}) noexcept {
    command made{.direction = data.empty() ? transfer::none : direction, .data = data};
    made.sqe.opcode = static_cast<std::uint8_t>(opcode);
    made.sqe.nsid = nsid;
    return made;
}

}  // namespace

result<reply> controller::execute(const command& what) {
    return host::execute(*admin_, what, soon());
}

result<reply> controller::admin_ok(const command& what, const char* what_for) {
    return execute_ok(*admin_, what, soon(), what_for);
}

result<std::uint64_t> controller::property_get(std::uint32_t offset, nvme::property_size size) {
    FULMAR_TRY(const reply got, admin_ok({.sqe = make_property_get(offset, size)}, "Property Get"));
    return size == nvme::property_size::bytes_8 ? got.answer.result64() : got.dw0();
}

result<void> controller::property_set(std::uint32_t offset, nvme::property_size size,
                                      std::uint64_t value) {
    FULMAR_CHECK(admin_ok({.sqe = make_property_set(offset, size, value)}, "Property Set"));
    return {};
}

result<std::vector<std::byte>> controller::identify(const nvme::identify_command& what,
                                                    std::uint32_t nsid) {
    std::vector<std::byte> data(nvme::identify_bytes);
    command cmd = make_command(nvme::admin_opcode::identify, nsid, transfer::from_controller, data);
    nvme::encode_identify(cmd.sqe, what);
    FULMAR_CHECK(admin_ok(cmd, "Identify"));
    return data;
}

result<nvme::identify_controller> controller::identify_controller() {
    FULMAR_TRY(const auto data,
               identify({.cns = static_cast<std::uint8_t>(nvme::cns::controller)}));
    return *nvme::read_wire<nvme::identify_controller>(data);
}

result<nvme::identify_namespace> controller::identify_namespace(std::uint32_t nsid) {
    FULMAR_TRY(const auto data,
               identify({.cns = static_cast<std::uint8_t>(nvme::cns::namespace_data)}, nsid));
    return *nvme::read_wire<nvme::identify_namespace>(data);
}

result<nvme::namespace_ids> controller::identify_descriptors(std::uint32_t nsid) {
    FULMAR_TRY(
        const auto data,
        identify({.cns = static_cast<std::uint8_t>(nvme::cns::namespace_descriptors)}, nsid));
    return nvme::read_namespace_ids(data);
}

result<std::vector<std::uint32_t>> controller::active_namespaces() {
    std::vector<std::uint32_t> found;
    for (;;) {
        const std::uint32_t behind = found.empty() ? 0 : found.back();
        FULMAR_TRY(
            const auto data,
            identify({.cns = static_cast<std::uint8_t>(nvme::cns::active_namespaces)}, behind));
        const auto list = *nvme::read_wire<nvme::namespace_list>(data);
        for (const nvme::le32& each : list.nsid) {
            if (each.value() == 0) return found;
            if (each.value() <= (found.empty() ? 0 : found.back()))
                return fail(errc::io_error, "the active namespace list is not ascending");
            found.push_back(each.value());
        }
    }
}

result<std::vector<std::byte>> controller::get_log(const nvme::get_log_page& what,
                                                   std::uint32_t nsid) {
    std::vector<std::byte> data(what.length_bytes);
    for (std::uint64_t at = 0; at < data.size(); at += log_piece_bytes) {
        const std::uint64_t bytes = std::min<std::uint64_t>(log_piece_bytes, data.size() - at);
        command cmd = make_command(nvme::admin_opcode::get_log_page, nsid,
                                   transfer::from_controller, std::span(data).subspan(at, bytes));
        nvme::get_log_page piece = what;
        piece.offset_bytes += at;
        piece.length_bytes = bytes;
        nvme::encode_get_log_page(cmd.sqe, piece);
        FULMAR_CHECK(admin_ok(cmd, "Get Log Page"));
    }
    return data;
}

result<std::uint32_t> controller::get_features(const nvme::get_features& what, std::uint32_t nsid,
                                               std::span<std::byte> data) {
    command cmd =
        make_command(nvme::admin_opcode::get_features, nsid, transfer::from_controller, data);
    nvme::encode_get_features(cmd.sqe, what);
    FULMAR_TRY(const reply got, admin_ok(cmd, "Get Features"));
    return got.dw0();
}

result<std::uint32_t> controller::set_features(const nvme::set_features& what, std::uint32_t nsid,
                                               std::span<std::byte> data) {
    command cmd =
        make_command(nvme::admin_opcode::set_features, nsid, transfer::to_controller, data);
    nvme::encode_set_features(cmd.sqe, what);
    FULMAR_TRY(const reply got, admin_ok(cmd, "Set Features"));
    return got.dw0();
}

result<void> controller::keep_alive() {
    FULMAR_CHECK(admin_ok(make_command(nvme::admin_opcode::keep_alive, 0), "Keep Alive"));
    return {};
}

}  // namespace fulmar::host
