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
    return tl::unexpected(explain_refusal(p, got.status(), got.dw0()));
}

namespace {

struct explanation {
    std::string why;
    std::string remedy;
};

/// What a refused parameter means to somebody who wants to connect.
explanation explain_parameter(const connect_parameters& p, const nvme::invalid_parameter& which) {
    namespace parameter = nvme::connect_parameter;
    if (which == parameter::subnqn)
        return {"there is no such subsystem at this address",
                "`fulmar discover` lists those that this host may use here"};
    if (which == parameter::hostnqn)
        return {p.qid == 0 ? fmt::format("{} is no name that a host may have", p.hostnqn)
                           : "its controller belongs to another host NQN",
                "1 to 223 bytes of UTF-8 without control characters; or leave it out"};
    if (which == parameter::hostid)
        return {p.qid == 0 ? "the host identifier is all zeroes"
                           : "its controller belongs to another host identifier",
                "any other UUID, always the same one for this host"};
    if (which == parameter::cntlid)
        return {p.qid == 0 ? fmt::format("controller {} cannot be asked for", p.cntlid)
                           : fmt::format("there is no controller {} any more", p.cntlid),
                "connect the admin queue again: the target chooses the controller"};
    if (which == parameter::qid)
        return {fmt::format("queue {} is more than the controller grants", p.qid),
                "ask for fewer queues; a discovery controller has no I/O queues"};
    if (which == parameter::sqsize)
        return {fmt::format("a queue of {} entries is not possible", p.entries),
                "fewer: CAP.MQES tells how many"};
    return {fmt::format("offset {} of the {} is not acceptable", which.ipo,
                        which.in_data ? "data" : "command"),
            ""};
}

explanation explain_status(const connect_parameters& p, nvme::status status, std::uint32_t dw0) {
    namespace sc = nvme::sc;
    if (status.is(sc::connect_invalid_parameters))
        return explain_parameter(p, nvme::invalid_parameter::unpack(dw0));
    if (status.is(sc::connect_invalid_host))
        return {"the subsystem does not allow this host NQN: " + p.hostnqn,
                "have it added to the subsystem's hosts, or connect as a host that is in them"};
    if (status.is(sc::connect_controller_busy))
        return {"the subsystem is paused or being changed, or has no controller left to give",
                "try again; if it stays so, look at the subsystem's state and its controllers, and "
                "at the range of its controller ids"};
    if (status.is(sc::connect_restart_discovery))
        return {"the subsystem has moved", "`fulmar discover` tells where to"};
    if (status.is(sc::command_sequence_error))
        return {
            p.qid == 0
                ? "the connection has a queue already"
                : fmt::format("queue {} exists already, or its controller is not enabled", p.qid),
            "connect the admin queue again, and then the I/O queues"};
    if (status.is(sc::connect_incompatible_format))
        return {"the target does not know this format of Connect", "is it an NVMe/TCP target?"};
    if (status.is(sc::authentication_required))
        return {"the subsystem wants this host to authenticate", "which this tool cannot do yet"};
    return {"the target refuses", ""};
}

}  // namespace

error explain_refusal(const connect_parameters& p, nvme::status status, std::uint32_t dw0) {
    const explanation said = explain_status(p, status, dw0);
    return {
        status.is(nvme::sc::connect_invalid_host) ? errc::permission_denied : errc::io_error,
        fmt::format("Connect to {}, queue {}: {}: {}", p.subnqn, p.qid, said.why, text_of(status)),
        {},
        said.remedy};
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
