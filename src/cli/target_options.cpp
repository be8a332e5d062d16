#include "target_options.hpp"

#include "exit.hpp"
#include "option_checks.hpp"

#include <fulmar/host/discovery.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

namespace fulmar::cli {

void add_address(CLI::App& app, target_options& o) {
    app.add_option("-a,--address", o.address, "address of the target")->capture_default_str();
    app.add_option("-p,--port", o.port, "its port")->capture_default_str();
    static const std::map<std::string, host::fabric> fabrics{{"tcp", host::fabric::tcp},
                                                             {"rdma", host::fabric::rdma}};
    app.add_option("--transport", o.over, "tcp or rdma")
        ->transform(CLI::CheckedTransformer(fabrics))
        ->default_str("tcp");
    app.add_option("--host-nqn", o.hostnqn, "who we are (default: derived from this machine's id)");
    app.add_option("--host-id", o.hostid, "our host identifier, a UUID (default: the same)");
    app.add_option("--dhchap-key", o.dhchap_key,
                   "file with the key that we prove with who we are (DHHC-1:…)");
    app.add_option("--dhchap-ctrl-key", o.dhchap_ctrl_key,
                   "file with the key that the controller has to prove itself with");
    app.add_option("--tls-psk", o.tls_psk,
                   "file with the key that connections are encrypted with (NVMeTLSkey-1:…)");
    app.add_flag("--tls-compat", o.tls_compat, "derive that key as libnvme up to 1.14 does");
    app.add_option("--timeout", o.timeout_s, "seconds that a command may take")
        ->check(between(0.01, 3600.0))
        ->capture_default_str();
}

void add_target(CLI::App& app, target_options& o) {
    add_address(app, o);
    app.add_option("-n,--nqn", o.nqn, "subsystem (default: the only one that discovery offers)");
    app.add_option("--keep-alive", o.keep_alive_s, "keep alive timeout in seconds, 0 for none")
        ->check(between(0.0, 86400.0))
        ->capture_default_str();
    app.add_flag("--header-digest", o.header_digest, "ask for CRC32C over PDU headers");
    app.add_flag("--data-digest", o.data_digest, "ask for CRC32C over data");
    app.add_flag("--no-flow-control", o.no_flow_control,
                 "disable SQ flow control (allows SUCCESS in data)");
    app.add_option("--max-r2t", o.max_r2t, "R2Ts per command that we allow")
        ->check(between(1u, 256u));
    app.add_option("--alignment", o.alignment, "alignment of data to us, in dwords from 0 (HPDA)")
        ->check(between(0u, 31u));
}

void add_nsid(CLI::App& app, target_options& o) {
    app.add_option("-i,--nsid", o.nsid, "namespace (default: the first)")
        ->check(between(1u, 0xfffffffeu));
}

std::shared_ptr<security::dhchap_credentials> target_options::keys() const {
    if (dhchap_key.empty() && dhchap_ctrl_key.empty()) return {};
    if (dhchap_key.empty())
        leave({errc::invalid_argument, "--dhchap-ctrl-key wants --dhchap-key, too", {}, {}});
    auto made = std::make_shared<security::dhchap_credentials>();
    made->host_key = value_or_leave(host::read_key_file(dhchap_key));
    if (!dhchap_ctrl_key.empty())
        made->controller_key = value_or_leave(host::read_key_file(dhchap_ctrl_key));
    for (const auto group : nvme::all_dhchap_groups) made->policy.groups.add(group);
    return made;
}

std::shared_ptr<const host::tls_offer> target_options::tls() const {
    if (tls_psk.empty()) return {};
    auto made = std::make_shared<host::tls_offer>();
    made->key = value_or_leave(host::read_tls_key_file(tls_psk));
    if (tls_compat) made->how = security::tls_derivation::old_libnvme;
    return made;
}

host::controller_options target_options::controller() const {
    host::controller_options c;
    c.target = {.address = address, .port = port, .over = over};
    c.subnqn = nqn;
    c.hostnqn = hostnqn;
    if (!hostid.empty()) {
        const auto parsed = nvme::parse_uuid(hostid);
        if (!parsed) leave({errc::invalid_argument, "--host-id is not a UUID: " + hostid, {}, {}});
        c.hostid = *parsed;
    }
    c.keys = keys();
    c.tls = tls();
    c.keep_alive_ms = static_cast<std::uint32_t>(keep_alive_s * 1000);
    c.flow_control = !no_flow_control;
    c.header_digest = header_digest;
    c.data_digest = data_digest;
    c.hpda = static_cast<std::uint8_t>(alignment);
    c.max_r2t = max_r2t;
    c.timeout = std::chrono::duration_cast<duration>(std::chrono::duration<double>(timeout_s));
    return c;
}

namespace {

/// The NQN of the only subsystem there; leaves with the list when there are more, or none.
std::string only_subsystem(const target_options& o) {
    const auto log = value_or_leave(host::discover(o.controller()));
    std::vector<std::string> found;
    for (const host::discovery_entry& e : log.entries)
        if (e.subtype == static_cast<std::uint8_t>(nvme::subsystem_type::nvm) &&
            std::find(found.begin(), found.end(), e.subnqn) == found.end())
            found.push_back(e.subnqn);
    if (found.size() == 1) return found.front();
    const std::string where = host::endpoint{.address = o.address, .port = o.port}.text();
    if (found.empty())
        leave({errc::not_found, "discovery offers no subsystem to this host", where, {}});
    std::string list = "several subsystems are there; name one with --nqn:";
    for (const std::string& each : found) list += "\n  " + each;
    leave({errc::invalid_argument, list, where, {}});
}

}  // namespace

std::unique_ptr<host::controller> connect(target_options& o) {
    if (o.nqn.empty()) o.nqn = only_subsystem(o);
    return value_or_leave(host::controller::connect(o.controller()));
}

open_namespace find_namespace(host::controller& c, const target_options& o) {
    std::uint32_t nsid = o.nsid;
    if (nsid == 0) {
        const auto active = value_or_leave(c.active_namespaces());
        if (active.empty()) leave({errc::io_error, "the subsystem has no namespace", o.nqn, {}});
        nsid = active.front();
    }
    const auto id = value_or_leave(c.identify_namespace(nsid));
    if (id.nsze.value() == 0)
        leave({errc::io_error, fmt::format("namespace {} is not active", nsid), o.nqn, {}});
    const nvme::lba_format format = id.lbaf[id.flbas & nvme::flbas::format_mask];
    if (format.lbads < 9 || format.lbads > 16 || format.ms.value() != 0)
        leave({errc::not_supported,
               "the namespace's LBA format is not one that this tool can use",
               o.nqn,
               {}});
    return {nsid, 1u << format.lbads, id.nsze.value()};
}

std::vector<host::queue*> open_queues(host::controller& c, std::uint32_t count,
                                      std::uint32_t depth) {
    const std::uint32_t granted = value_or_leave(c.request_io_queues(count));
    if (granted < count)
        fmt::print(stderr, "fulmar: the controller gives {} I/O queues, not {}\n", granted, count);
    if (depth > c.capabilities().mqes)
        fmt::print(stderr, "fulmar: the controller's queues take {} commands at once, not {}\n",
                   c.capabilities().mqes, depth);
    std::vector<host::queue*> queues;
    for (std::uint32_t i = 1; i <= granted; ++i)
        queues.push_back(value_or_leave(c.open_io_queue(static_cast<std::uint16_t>(i), depth)));
    return queues;
}

bool checkers_are_clean(host::controller& c) {
    const auto check = [](const host::queue& q, std::string_view name) {
        if (q.checker().clean()) return true;
        fmt::print(stderr, "fulmar: the target broke the protocol on the {}:\n{}", name,
                   q.checker().text());
        return false;
    };
    bool clean = check(c.admin(), "admin queue");
    for (std::size_t i = 0; i < c.io_queues().size(); ++i)
        clean &= check(*c.io_queues()[i], fmt::format("I/O queue {}", i + 1));
    return clean;
}

}  // namespace fulmar::cli
