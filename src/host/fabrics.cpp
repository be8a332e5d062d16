#include <fulmar/host/fabrics.hpp>
#include <fulmar/nvme/copy_text.hpp>

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <memory>

namespace fulmar::host {

nvme::connect_command make_connect_command(const connect_parameters& p) noexcept {
    auto cmd = nvme::make_fabrics_command<nvme::connect_command>(nvme::fctype::connect, 0);
    cmd.recfmt = 0;
    cmd.qid = p.qid;
    cmd.sqsize = static_cast<std::uint16_t>(p.entries - 1);
    cmd.cattr = p.flow_control ? 0 : nvme::cattr::disable_sq_flow_control;
    cmd.kato_ms = p.qid == 0 ? p.keep_alive_ms : 0;
    return cmd;
}

nvme::connect_data make_connect_data(const connect_parameters& p) noexcept {
    nvme::connect_data data{};
    data.hostid = p.hostid.bytes;
    data.cntlid = p.cntlid;
    nvme::copy_nul_padded(data.subnqn, p.subnqn);
    nvme::copy_nul_padded(data.hostnqn, p.hostnqn);
    return data;
}

result<reply> connect_queue(queue& q, const connect_parameters& p, const deadline& until) {
    nvme::connect_data data = make_connect_data(p);
    return execute(q,
                   {.sqe = nvme::to_sqe(make_connect_command(p)),
                    .direction = transfer::to_controller,
                    .data = nvme::writable_wire_bytes(data)},
                   until);
}

result<std::uint16_t> connect_queue_ok(queue& q, const connect_parameters& p,
                                       const deadline& until) {
    FULMAR_TRY(const reply got, connect_queue(q, p, until));
    if (got.ok()) return static_cast<std::uint16_t>(got.dw0() & 0xffffu);
    std::string what =
        fmt::format("Connect to {}, queue {}: {}", p.subnqn, p.qid, text_of(got.status()));
    if (got.status().is(nvme::sc::connect_invalid_parameters)) {
        const auto at = nvme::invalid_parameter::unpack(got.dw0());
        what += fmt::format(", offset {} of the {}", at.ipo, at.in_data ? "data" : "command");
    }
    const bool host = got.status().is(nvme::sc::connect_invalid_host);
    return fail(host ? errc::permission_denied : errc::io_error, std::move(what), {},
                host ? "the subsystem does not allow this host NQN: " + p.hostnqn : "");
}

nvme::sqe make_property_get(std::uint32_t offset, nvme::property_size size) noexcept {
    auto cmd =
        nvme::make_fabrics_command<nvme::property_get_command>(nvme::fctype::property_get, 0);
    cmd.attrib = static_cast<std::uint8_t>(size);
    cmd.ofst = offset;
    return nvme::to_sqe(cmd);
}

nvme::sqe make_property_set(std::uint32_t offset, nvme::property_size size,
                            std::uint64_t value) noexcept {
    auto cmd =
        nvme::make_fabrics_command<nvme::property_set_command>(nvme::fctype::property_set, 0);
    cmd.attrib = static_cast<std::uint8_t>(size);
    cmd.ofst = offset;
    cmd.value = value;
    return nvme::to_sqe(cmd);
}

namespace {
/// Empty when the file is not there.
std::string first_line(const char* file) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> from(std::fopen(file, "r"), &std::fclose);
    std::array<char, 128> line{};
    if (!from || std::fgets(line.data(), line.size(), from.get()) == nullptr) return {};
    std::string text(line.data());
    return text.substr(0, text.find('\n'));
}
}  // namespace

nvme::uuid default_host_id() {
    std::string id = first_line("/etc/machine-id");
    if (id.empty()) id = first_line("/proc/sys/kernel/random/boot_id");
    return nvme::derive_uuid("fulmar host " + id, 0);
}

std::string default_host_nqn() {
    return std::string(nvme::uuid_nqn_prefix) +
           std::string(nvme::to_text(default_host_id()).view());
}

}  // namespace fulmar::host
