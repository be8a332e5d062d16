// docs/status.md says what a host is told in which situation. Every row is brought about here and
// compared; a row that nobody can bring about is a failure, and so is one that nobody wrote down.
#include "backend/file/file_status.hpp"
#include "suite.hpp"
#include "support/reservation_commands.hpp"
#include "support/spy_device.hpp"
#include "support/viewers.hpp"

#include <fulmar/host/authenticate.hpp>
#include <fulmar/nvme/cross_reset.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace fulmar::conformance {
namespace {

using backend::io_kind;
using nvme::io_opcode;

constexpr const char* keyed_nqn = "nqn.2026-01.io.fulmar:keyed";
constexpr const char* known_nqn = "nqn.2014-08.org.x:known";
constexpr const char* keyless_nqn = "nqn.2014-08.org.x:keyless";
constexpr const char* encrypted_nqn = "nqn.2026-01.io.fulmar:encrypted";
constexpr std::string_view status_tls_key =
    "NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:";
constexpr const char* closed_nqn = "nqn.2026-01.io.fulmar:closed";

/// One line of the table.
struct promise {
    std::string situation;
    std::string code;  ///< "0/02h"
    std::string dnr;
    std::string crd;
};

std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells;
    std::stringstream in(line.substr(1));
    for (std::string cell; std::getline(in, cell, '|');) {
        const auto first = cell.find_first_not_of(' ');
        const auto last = cell.find_last_not_of(' ');
        cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
    }
    return cells;
}

std::vector<promise> read_table() {
    const char* source = std::getenv("FULMAR_SOURCE_DIR");
    std::ifstream in(std::string(source != nullptr ? source : ".") + "/docs/status.md");
    std::vector<promise> all;
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with('|')) continue;
        const auto cells = cells_of(line);
        if (cells.size() < 5 || cells[0] == "situation" || cells[0].starts_with("---")) continue;
        all.push_back({.situation = cells[0],
                       .code = cells[1].substr(0, cells[1].find(' ')),
                       .dnr = cells[2],
                       .crd = cells[3]});
    }
    return all;
}

class status_test : public suite {
  protected:
    status_test() {
        setup.spec.devices[0].type = "spy";
        setup.spec.subsystems.push_back({.nqn = closed_nqn, .closed = true});
        setup.spec.subsystems.push_back(
            {.nqn = keyed_nqn,
             .allow_any_host = true,
             .host_keys = {{known_nqn, "here", ""}, {keyless_nqn, "gone", ""}},
             .dhchap_required = true});
        setup.spec.subsystems.push_back(
            {.nqn = encrypted_nqn,
             .allow_any_host = true,
             .host_keys = {{.nqn = known_nqn, .tls_psk = "tls"},
                           {.nqn = keyless_nqn, .tls_psk = "tls", .tls_optional = true}}});
        setup.spec.listeners.push_back({.address = "127.0.0.1", .port = 0, .tls = "allow"});
        keys.set("tls", {std::string(status_tls_key)});
        keys.set("here", {"DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:"});
        setup.keys = &keys;
        setup.devices = spy_.factory();
        setup.memory = &memory;
        setup.pool_bytes = 64u << 20;
        setup.limits.max_queue_depth = 1024;
        setup.limits.connect_wait_ms = 100;
        setup.limits.transition_timeout_ms = 500;
    }

    /// Connected, and asked to authenticate.
    host::raw_session unproven() {
        host::raw_session s = raw();
        host::connect_parameters p = parameters();
        p.subnqn = keyed_nqn;
        p.hostnqn = known_nqn;
        p.hostid = nvme::derive_uuid("a known host", 0);
        EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
        return s;
    }
    /// A queue over TLS, of a host's key for `encrypted_nqn`.
    std::unique_ptr<host::queue> encrypted(const char* host) {
        const auto key = must(security::parse_tls_key(status_tls_key));
        host::connection_options options;
        options.tls = std::make_shared<const security::tls_psk>(must(security::derive_tls_psk(
            key, host, encrypted_nqn, security::tls_identity_version::digest)));
        return must(host::connection::create(target().endpoint(1), options, status_deadline()));
    }
    static host::deadline status_deadline() { return host::deadline(std::chrono::seconds(15)); }
    host::connect_parameters encrypted_parameters(const char* host) {
        host::connect_parameters p = parameters();
        p.subnqn = encrypted_nqn;
        p.hostnqn = host;
        p.hostid = nvme::derive_uuid(host, 0);
        return p;
    }
    /// One is at work on each reactor, and so many wait.
    nvme::status too_many_wait() {
        security::dhchap_credentials who;
        who.host_nqn = known_nqn;
        who.subsystem_nqn = keyed_nqn;
        const bytes message = security::dhchap_host(who, 1).negotiate();
        const auto length = static_cast<std::uint32_t>(message.size());
        const auto sqe =
            raw_sqe(host::make_authentication(nvme::fctype::authentication_send, length), 5,
                    nvme::make_in_capsule_sgl(0, length));
        keys.held = true;
        std::vector<host::raw_session> all;
        const std::uint32_t enough = (limits::waiting_authentications_per_address + 1) *
                                         static_cast<std::uint32_t>(data_reactors()) +
                                     1;
        for (std::uint32_t i = 0; i < enough; ++i) {
            all.push_back(unproven());
            must(all.back().send(host::make_capsule(sqe, message, all.back().wire())));
        }
        nvme::status found = sc::success;
        for (host::raw_session& s : all)
            if (const auto got = s.collect(5, {}, std::chrono::milliseconds(20)))
                found = got->status();
        keys.held = false;
        return found;
    }

    std::unique_ptr<host::controller> another_host() {
        host::controller_options options = host_options();
        options.hostnqn = other_nqn;
        options.hostid = nvme::derive_uuid("another host", 0);
        return connect(options);
    }
    static nvme::status reserve(host::queue& q, io_opcode opcode,
                                const nvme::reservation_command& how, std::uint64_t current,
                                std::uint64_t other) {
        const auto keys = test::reservation_keys(current, other);
        return run_write(q, test::reservation_sqe(opcode, how), nvme::wire_bytes(keys)).status();
    }

    /// A host with an I/O queue; `acre`: one that honours retry delays.
    void meet(bool acre) {
        c_ = connect();
        nvme::host_behavior_support wanted{};
        wanted.acre = acre ? 1 : 0;
        must(c_->set_features({.fid = 0x16}, 0, nvme::writable_wire_bytes(wanted)));
        q_ = must(c_->open_io_queue(1, 64));
        // On the reactor of its first queue, so that what the one parks is in the other's way.
        raw_ = std::make_unique<host::raw_session>(raw_io(*c_, 2, 1024));
    }
    void part() {
        raw_ = nullptr;
        q_ = nullptr;
        c_ = nullptr;
        restart();
    }

    using scenario = std::function<nvme::status()>;
    std::map<std::string, scenario> scenarios();
    void add_command_scenarios(std::map<std::string, scenario>& all);
    void add_limit_scenarios(std::map<std::string, scenario>& all);
    void add_data_scenarios(std::map<std::string, scenario>& all);
    void add_reservation_scenarios(std::map<std::string, scenario>& all);
    void add_fused_scenarios(std::map<std::string, scenario>& all);
    void add_protection_scenarios(std::map<std::string, scenario>& all);
    void add_path_scenarios(std::map<std::string, scenario>& all);
    void add_cross_reset_scenarios(std::map<std::string, scenario>& all);
    void add_connect_scenarios(std::map<std::string, scenario>& all);
    void add_authentication_scenarios(std::map<std::string, scenario>& all);
    void add_tls_scenarios(std::map<std::string, scenario>& all);

    nvme::status connect_status(const std::function<void(host::connect_parameters&)>& change) {
        host::raw_session s = raw();
        host::connect_parameters p = parameters();
        change(p);
        return must(s.connect_queue(p)).status();
    }
    void pause() {
        target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    }
    nvme::status io(io_opcode opcode, const nvme::block_range& range = {}) {
        return run(*q_, {.sqe = io_sqe(opcode, range)}).status();
    }
    /// Of one range to block 0.
    nvme::status copy(std::uint64_t from, std::uint32_t blocks) {
        std::array<nvme::copy_range, 1> wire{};
        wire[0].slba = from;
        wire[0].nlb = static_cast<std::uint16_t>(blocks - 1);
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(io_opcode::copy);
        sqe.nsid = 1;
        nvme::encode_copy(sqe, {});
        return run_write(*q_, sqe, std::as_bytes(std::span(wire))).status();
    }
    nvme::status admin(const nvme::sqe& sqe) { return run(c_->admin(), {.sqe = sqe}).status(); }
    nvme::status read() {
        bytes block(512);
        return read_blocks(*q_, 0, block).status();
    }
    nvme::status ana(core::ana_state state) {
        target().must<core::namespace_status>(
            core::set_ana_state{.nqn = std::string(subsystem_nqn), .nsid = 1, .state = state});
        return read();
    }
    void send_write(std::uint16_t cid) {
        must(raw_->send(host::make_capsule(
            raw_sqe(io_sqe(io_opcode::write, {}), cid, nvme::make_in_capsule_sgl(0, 512)),
            bytes(512))));
    }

    void send_fused(io_opcode opcode, nvme::fuse how, std::uint16_t cid, std::uint32_t blocks = 1,
                    const bytes& data = bytes(512)) {
        const auto pointer = blocks == 1 ? nvme::make_in_capsule_sgl(0, 512)
                                         : nvme::make_transport_sgl(blocks * 512);
        nvme::sqe sqe = raw_sqe(io_sqe(opcode, {.slba = 0, .blocks = blocks}), cid, pointer);
        sqe.flags = nvme::make_flags(how, nvme::psdt::sgl);
        must(raw_->send(blocks == 1 ? host::make_capsule(sqe, data) : host::make_capsule(sqe)));
    }

    testing::spy spy_;
    std::unique_ptr<host::controller> c_;
    host::queue* q_ = nullptr;
    std::unique_ptr<host::raw_session> raw_;
};
INSTANTIATE_TEST_SUITE_P(reactors, status_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

void status_test::add_fused_scenarios(std::map<std::string, scenario>& all) {
    all["a fused command whose other one does not follow, or did not come before"] = [this] {
        send_fused(io_opcode::compare, nvme::fuse::first, 1);
        send_write(2);
        EXPECT_STATUS(must(raw_->collect(1)), sc::aborted_missing_fused);
        EXPECT_STATUS(must(raw_->collect(2)), sc::success);
        send_fused(io_opcode::write, nvme::fuse::second, 3);
        return must(raw_->collect(3)).status();
    };
    all["the Write of a fused pair whose Compare fails"] = [this] {
        send_fused(io_opcode::compare, nvme::fuse::first, 1, 1, bytes(512, std::byte{7}));
        send_fused(io_opcode::write, nvme::fuse::second, 2);
        EXPECT_STATUS(must(raw_->collect(1)), sc::compare_failure.no_retry());
        return must(raw_->collect(2)).status();
    };
    all["a fused pair of more than ACWU"] = [this] {
        send_fused(io_opcode::compare, nvme::fuse::first, 1, 257);
        send_fused(io_opcode::write, nvme::fuse::second, 2, 257);
        EXPECT_STATUS(must(raw_->collect(1)), sc::atomic_write_unit_exceeded.no_retry());
        return must(raw_->collect(2)).status();
    };
    all["a fused pair whose blocks a device keeps, past the deadline"] = [this] {
        const auto pair = [this](std::uint16_t first) {
            send_fused(io_opcode::compare, nvme::fuse::first, first);
            send_fused(io_opcode::write, nvme::fuse::second, static_cast<std::uint16_t>(first + 1));
        };
        pair(1);
        EXPECT_STATUS(must(raw_->collect(2)), sc::success);
        spy_.hold(true, true);
        send_write(3);
        EXPECT_TRUE(testing::eventually([this] { return spy_.held() == 1; }));
        pair(4);
        const nvme::status got = must(raw_->collect(4)).status();
        EXPECT_STATUS(must(raw_->collect(5)), got);
        spy_.hold(false);
        return got;
    };
}

void status_test::add_command_scenarios(std::map<std::string, scenario>& all) {
    all["unknown opcode"] = [this] { return io(io_opcode::zone_append); };
    all["a Copy of more, or from more places, than the namespace says"] = [this] {
        return copy(0, 0x10000);
    };
    all["a Copy onto blocks that it reads"] = [this] { return copy(4, 8); };
    all["a field that cannot be, transfer above MDTS"] = [this] {
        bytes more(c_->max_transfer_bytes() + 512);
        EXPECT_STATUS(read_blocks(*q_, 0, more), sc::invalid_field.no_retry());
        return admin(feature_sqe(nvme::get_features{.fid = 0xc0}));
    };
    all["NSID of a namespace that the host does not see (`visible_to`)"] = [this] {
        target().must<core::namespace_status>(
            test::visible_to(std::string(subsystem_nqn), 1, test::only({})));
        return read();
    };
    all["a log page that is not there"] = [this] {
        return admin(log_sqe({.lid = 0x06, .length_bytes = 4}));
    };
    all["NSID that is not attached"] = [this] {
        bytes block(512);
        return read_blocks(*q_, 0, block, 99).status();
    };
    all["LBA beyond the end"] = [this] {
        bytes block(512);
        return read_blocks(*q_, namespace_bytes, block).status();
    };
    all["more Asynchronous Event Requests than AERL"] = [this] {
        const nvme::sqe ask = admin_sqe(nvme::admin_opcode::async_event_request);
        host::raw_session s = raw_admin();
        for (std::uint16_t i = 0; i <= c_->identity().aerl; ++i)
            must(s.send(host::make_capsule(raw_sqe(ask, static_cast<std::uint16_t>(100 + i)))));
        return must(s.run(raw_sqe(ask, 200))).status();
    };
    all["a feature that cannot be saved"] = [this] {
        return admin(feature_sqe(nvme::set_features{.fid = 0x01, .save = true}));
    };
    all["a feature of the controller, asked of one namespace"] = [this] {
        return admin(feature_sqe(nvme::set_features{.fid = 0x01}, 1));
    };
    all["Identify of a command set other than NVM"] = [this] {
        nvme::sqe sqe = admin_sqe(nvme::admin_opcode::identify, 1);
        nvme::encode_identify(sqe, {.cns = 0x05, .csi = 1});
        bytes page(4096);
        return run_read(c_->admin(), sqe, page).status();
    };
    all["an admin command while CC.EN is 0"] = [this] {
        must(c_->disable());
        return admin(admin_sqe(nvme::admin_opcode::keep_alive));
    };
    all["a command that the host has aborted while it waited"] = [this] {
        pause();
        send_write(7);
        EXPECT_TRUE(testing::eventually(
            [this] { return target().count("fulmar_parked_requests_total") == 1; }));
        nvme::sqe abort = admin_sqe(nvme::admin_opcode::abort);
        abort.cdw10 = 7u << 16 | 2u;
        EXPECT_EQ(admin(abort), sc::success);
        return must(raw_->collect(7)).status();
    };
    all["an Asynchronous Event Request when its controller is reset"] = [this] {
        host::raw_session s = raw_admin();
        must(s.send(
            host::make_capsule(raw_sqe(admin_sqe(nvme::admin_opcode::async_event_request), 50))));
        must(s.send(host::make_capsule(raw_sqe(
            host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, 0),
            51))));
        return must(s.collect(50)).status();
    };
}

void status_test::add_limit_scenarios(std::map<std::string, scenario>& all) {
    all["more Aborts at a time than ACL"] = [this] {
        // All in one piece: those that are not read in one turn may find the limit free again.
        host::raw_session s = raw_admin();
        nvme::sqe abort = admin_sqe(nvme::admin_opcode::abort);
        abort.cdw10 = 0xffffu << 16;
        for (int round = 0; round < 100; ++round) {
            host::raw_bytes burst;
            for (std::uint16_t cid = 0; cid < 16; ++cid) {
                const host::raw_bytes one = host::make_capsule(raw_sqe(abort, cid));
                burst.insert(burst.end(), one.begin(), one.end());
            }
            must(s.send(burst));
            nvme::status refused = sc::success;
            for (int i = 0; i < 16; ++i) {
                const nvme::status got = s.await().pdu.response().value().get_status();
                if (!nvme::is_success(got)) refused = got;
            }
            if (!nvme::is_success(refused)) return refused;
        }
        return sc::success;
    };
}

void status_test::add_data_scenarios(std::map<std::string, scenario>& all) {
    all["data pointer shorter or longer than the data"] = [this] {
        return must(raw_->run(raw_sqe(io_sqe(io_opcode::read, {.blocks = 8}), 1,
                                      nvme::make_transport_sgl(512))))
            .status();
    };
    all["data pointer of a type that TCP does not have"] = [this] {
        const auto keyed = nvme::make_keyed_sgl(0, 512, 1);
        return must(raw_->run(raw_sqe(io_sqe(io_opcode::read, {}), 1, keyed))).status();
    };
    all["in-capsule data with an offset"] = [this] {
        const auto pointer = nvme::make_in_capsule_sgl(4, 512);
        return must(raw_->run(raw_sqe(io_sqe(io_opcode::write, {}), 1, pointer), bytes(512)))
            .status();
    };
    all["a data digest that is wrong"] = [this] {
        host::raw_session s = raw_io(*c_, 3, 32, {.digests = 2});
        host::raw_bytes pdu = host::make_capsule(
            raw_sqe(io_sqe(io_opcode::write, {}), 1, nvme::make_in_capsule_sgl(0, 512)), bytes(512),
            s.wire());
        pdu.back() ^= std::byte{1};
        must(s.send(pdu));
        return must(s.collect(1)).status();
    };
    all["Compare that differs"] = [this] {
        return run_write(*q_, io_sqe(io_opcode::compare, {}), pattern(512)).status();
    };
    all["read error of the medium"] = [this] {
        spy_.answer(io_kind::read, sc::unrecovered_read_error.no_retry());
        return read();
    };
    all["no room on the file system under a file (ENOSPC, a quota)"] = [this] {
        spy_.answer(io_kind::write, backend::status_of(ENOSPC, io_kind::write));
        EXPECT_EQ(backend::status_of(EDQUOT, io_kind::write),
                  backend::status_of(ENOSPC, io_kind::write));
        return write_blocks(*q_, 0, bytes(512)).status();
    };
    all["the system under a file is short of something for the moment"] = [this] {
        spy_.answer(io_kind::read, backend::status_of(ENOMEM, io_kind::read));
        return read();
    };
    all["write error of the medium"] = [this] {
        spy_.answer(io_kind::write, sc::write_fault.no_retry());
        return write_blocks(*q_, 0, bytes(512)).status();
    };
}

void status_test::add_reservation_scenarios(std::map<std::string, scenario>& all) {
    all["a command that another host's reservation forbids"] = [this] {
        const auto other = another_host();
        host::queue& theirs = *must(other->open_io_queue(1, 8));
        EXPECT_EQ(reserve(theirs, io_opcode::reservation_register, {}, 0, 1), sc::success);
        EXPECT_EQ(reserve(theirs, io_opcode::reservation_acquire, {.type = 1}, 1, 0), sc::success);
        const nvme::status got = write_blocks(*q_, 0, bytes(512)).status();
        EXPECT_EQ(reserve(theirs, io_opcode::reservation_register, {.action = 1}, 1, 0),
                  sc::success);
        return got;
    };
    all["a Reservation Report with host identifiers of 64 bits"] = [this] {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(io_opcode::reservation_report);
        sqe.nsid = 1;
        nvme::encode_reservation_report(sqe, {.length_bytes = 64});
        bytes got(64);
        return run_read(*q_, sqe, got).status();
    };
    all["a reservation that others' commands at the device hold up, past the deadline"] = [this] {
        const auto other = another_host();
        host::queue& theirs = *must(other->open_io_queue(1, 8));
        EXPECT_EQ(reserve(theirs, io_opcode::reservation_register, {}, 0, 1), sc::success);
        spy_.hold(true);
        send_write(1);
        EXPECT_TRUE(testing::eventually([this] { return spy_.held() == 1; }));
        const nvme::status got = reserve(theirs, io_opcode::reservation_acquire, {.type = 1}, 1, 0);
        spy_.hold(false);
        EXPECT_EQ(must(raw_->collect(1)).status(), sc::success) << "it has gone on";
        EXPECT_EQ(reserve(theirs, io_opcode::reservation_register, {.action = 1}, 1, 0),
                  sc::success);
        return got;
    };
}

void status_test::add_protection_scenarios(std::map<std::string, scenario>& all) {
    const auto protect = [this](nvme::write_protection state) {
        return run(c_->admin(),
                   {.sqe = feature_sqe(
                        nvme::set_features{.fid = 0x84, .cdw11 = static_cast<std::uint32_t>(state)},
                        1)})
            .status();
    };
    const auto lift = [this] {
        target().must(core::query(core::lift_protection{std::string(subsystem_nqn), 1}));
    };
    all["a command that would change a write protected namespace"] = [=, this] {
        EXPECT_EQ(protect(nvme::write_protection::write_protect), sc::success);
        const nvme::status got = write_blocks(*q_, 0, bytes(512)).status();
        lift();
        return got;
    };
    all["an end of write protection that is to last until the next power cycle"] = [protect, lift] {
        EXPECT_EQ(protect(nvme::write_protection::until_power_cycle), sc::success);
        const nvme::status got = protect(nvme::write_protection::none);
        lift();
        return got;
    };
    all["a write protection that commands at the device hold up, past the deadline"] = [=, this] {
        spy_.hold(true);
        send_write(1);
        EXPECT_TRUE(testing::eventually([this] { return spy_.held() == 1; }));
        const nvme::status got = protect(nvme::write_protection::write_protect);
        spy_.hold(false);
        EXPECT_EQ(must(raw_->collect(1)).status(), sc::success) << "it has gone on";
        return got;
    };
}

void status_test::add_cross_reset_scenarios(std::map<std::string, scenario>& all) {
    const auto sqe_for = [](const host::controller& c) {
        nvme::sqe sqe = admin_sqe(nvme::admin_opcode::cross_controller_reset);
        nvme::encode_cross_reset(
            sqe, {.icid = c.id(), .ciu = c.identity().ciu, .cirn = c.identity().cirn.value()});
        return sqe;
    };
    const auto hold_a_write = [this](host::controller& c) {
        host::raw_session q = raw_io(c);
        spy_.hold(true, true);
        must(q.send(host::make_capsule(
            raw_sqe(io_sqe(io_opcode::write, {}), 1, nvme::make_in_capsule_sgl(0, 512)),
            bytes(512))));
        EXPECT_TRUE(testing::eventually([this] { return spy_.held() == 1; }));
        return q;
    };
    all["a Cross-Controller Reset of what is no other controller of the same host"] = [=, this] {
        return admin(sqe_for(*another_host()));
    };
    all["a Cross-Controller Reset of a controller whose commands a device keeps, past the "
        "deadline"] = [=, this] {
        const auto lost = connect();
        const host::raw_session q = hold_a_write(*lost);
        const nvme::status got = admin(sqe_for(*lost));
        spy_.hold(false);
        return got;
    };
    all["a Cross-Controller Reset of a controller that is being ended already"] = [=, this] {
        const auto lost = connect();
        const host::raw_session q = hold_a_write(*lost);
        host::raw_session asker = raw_admin();
        for (const std::uint16_t cid : {std::uint16_t{100}, std::uint16_t{101}})
            must(asker.send(host::make_capsule(raw_sqe(sqe_for(*lost), cid))));
        const nvme::status got = must(asker.collect(101)).status();
        spy_.hold(false);
        EXPECT_STATUS(must(asker.collect(100)), sc::success);
        return got;
    };
    all["more Cross-Controller Resets at a time than CCRL"] = [=, this] {
        std::vector<std::unique_ptr<host::controller>> lost;
        for (int i = 0; i <= c_->identity().ccrl; ++i) lost.push_back(connect());
        const host::raw_session q = hold_a_write(*lost[0]);
        host::raw_session asker = raw_admin();
        std::uint16_t cid = 100;
        for (const auto& each : lost)
            must(asker.send(host::make_capsule(raw_sqe(sqe_for(*each), cid++))));
        const nvme::status got = must(asker.collect(static_cast<std::uint16_t>(cid - 1))).status();
        spy_.hold(false);
        return got;
    };
}

void status_test::add_path_scenarios(std::map<std::string, scenario>& all) {
    all["too much is parked already"] = [this] {
        pause();
        for (std::uint16_t cid = 0; cid <= 512; ++cid) send_write(cid);
        return must(raw_->collect(512)).status();
    };
    all["no task is left for a backend operation"] = [this] {
        spy_.hold(true, true);
        // Given up with the device, but still held by it: 256 more than the queues need.
        for (int round = 0; round < 2; ++round) {
            for (std::uint16_t cid = 0; cid < 200; ++cid) send_write(cid);
            EXPECT_TRUE(testing::eventually(
                [&] { return spy_.held() == static_cast<std::size_t>(200 * (round + 1)); }));
            target().on_control([this] { spy_.lose("pulled out"); });
            std::set<std::uint16_t> answered;  // in whatever order
            while (answered.size() < 200)
                answered.insert(raw_->await().pdu.response().value().cid.value());
            target().must<core::device_status>(core::reopen_device{"a"});
        }
        for (std::uint16_t cid = 0; cid < 1000; ++cid) send_write(cid);
        const auto answer = raw_->await().pdu.response();
        spy_.hold(false);
        return answer.value().get_status();
    };
    all["the device behind a namespace is gone (`fail`)"] = [this] {
        target().on_control([this] { spy_.lose("pulled out"); });
        EXPECT_TRUE(testing::eventually([this] { return !nvme::is_success(read()); }));
        return read();
    };
    all["a backend did not answer by the deadline of a transition"] = [this] {
        spy_.hold(true);
        send_write(1);
        EXPECT_TRUE(testing::eventually([this] { return spy_.held() == 1; }));
        pause();
        const nvme::status status = must(raw_->collect(1)).status();
        spy_.hold(false);
        return status;
    };
    all["ANA state inaccessible"] = [this] { return ana(core::ana_state::inaccessible); };
    all["ANA state persistent loss"] = [this] { return ana(core::ana_state::persistent_loss); };
    all["ANA state change"] = [this] { return ana(core::ana_state::change); };
}

void status_test::add_authentication_scenarios(std::map<std::string, scenario>& all) {
    all["Connect of a host without a key where `dhchap_required` says that it needs one"] = [this] {
        return connect_status([](auto& p) { p.subnqn = keyed_nqn; });
    };
    all["Connect of a host whose key is missing or broken here"] = [this] {
        return connect_status([](auto& p) {
            p.subnqn = keyed_nqn;
            p.hostnqn = keyless_nqn;
        });
    };
    all["any command but Authentication Send and Receive on a queue whose host has not proved who "
        "it is"] = [this] {
        const auto cap =
            host::make_property_get(nvme::register_offset::cap, nvme::property_size::bytes_8);
        return must(unproven().run(raw_sqe(cap, 1))).status();
    };
    all["Authentication Send or Receive on a queue that nobody asked to authenticate"] = [this] {
        bytes got(64);
        return run_read(c_->admin(),
                        host::make_authentication(nvme::fctype::authentication_receive, 64), got)
            .status();
    };
    all["Authentication Send or Receive with a wrong protocol or length"] = [this] {
        const auto sqe = host::make_authentication(nvme::fctype::authentication_receive, 0);
        return must(unproven().run(raw_sqe(sqe, 1))).status();
    };
    all["Authentication Send while too many of its address wait for theirs"] = [this] {
        return too_many_wait();
    };
}

void status_test::add_tls_scenarios(std::map<std::string, scenario>& all) {
    all["Connect without TLS of a host that has a `tls_psk`, unless its entry says "
        "`tls_optional`"] = [this] {
        return connect_status([this](auto& p) { p = encrypted_parameters(known_nqn); });
    };
    all["Connect that does not name the host and the subsystem of the connection's TLS key"] =
        [this] {
            host::connect_parameters p = encrypted_parameters(known_nqn);
            p.subnqn = subsystem_nqn;
            const auto q = encrypted(known_nqn);
            return must(host::connect_queue(*q, p, status_deadline())).status();
        };
    all["Connect of an I/O queue that is encrypted where the admin queue is not, or the other way "
        "round"] = [this] {
        host::connect_parameters p = encrypted_parameters(keyless_nqn);
        const auto admin = encrypted(keyless_nqn);
        const auto made = must(host::connect_queue(*admin, p, status_deadline()));
        EXPECT_STATUS(made, sc::success);
        p.qid = 1;
        p.cntlid = static_cast<std::uint16_t>(made.dw0());
        return connect_status([&p](auto& plain) { plain = p; });
    };
}

void status_test::add_connect_scenarios(std::map<std::string, scenario>& all) {
    all["Connect to a subsystem in transition, past `connect_wait_ms`"] = [this] {
        pause();
        return connect_status([](auto&) {});
    };
    all["Connect or Disconnect in a format other than 0"] = [this] {
        auto disconnect =
            nvme::make_fabrics_command<nvme::disconnect_command>(nvme::fctype::disconnect, 0);
        disconnect.recfmt = std::uint16_t{1};
        EXPECT_EQ(run(*q_, {.sqe = nvme::to_sqe(disconnect)}).status(),
                  sc::connect_incompatible_format.no_retry());
        host::raw_session s = raw();
        const host::connect_parameters p = parameters();
        nvme::connect_command connect = host::make_connect_command(p);
        connect.recfmt = std::uint16_t{1};
        nvme::connect_data data = host::make_connect_data(p);
        return must(s.run(raw_sqe(nvme::to_sqe(connect), 1,
                                  nvme::make_in_capsule_sgl(0, sizeof data)),
                          nvme::wire_bytes(data)))
            .status();
    };
    all["Connect of a host that is not allowed"] = [this] {
        target().must<core::subsystem_status>(
            core::set_allow_any_host{.nqn = std::string(subsystem_nqn), .allow = false});
        return connect_status([](auto&) {});
    };
    all["Connect to a subsystem whose list of hosts is broken"] = [this] {
        return connect_status([](auto& p) { p.subnqn = closed_nqn; });
    };
    all["Connect with a wrong parameter"] = [this] {
        return connect_status([](auto& p) { p.hostid = {}; });
    };
    all["Connect to a subsystem that is not there, or not at this listener"] = [this] {
        return connect_status([](auto& p) { p.subnqn = "nqn.2026-01.io:none"; });
    };
    all["Connect of an I/O queue whose controller is not there, or another host's"] = [this] {
        return connect_status([this](auto& p) {
            p.qid = 1;
            p.cntlid = static_cast<std::uint16_t>(c_->id() + 1);
        });
    };
    all["Connect of a queue that exists, or of an I/O queue before CC.EN"] = [this] {
        return connect_status([this](auto& p) {
            p.qid = 1;
            p.cntlid = c_->id();
        });
    };
    all["Disconnect of the admin queue"] = [this] {
        const auto cmd =
            nvme::make_fabrics_command<nvme::disconnect_command>(nvme::fctype::disconnect, 0);
        return admin(nvme::to_sqe(cmd));
    };
}

std::map<std::string, status_test::scenario> status_test::scenarios() {
    std::map<std::string, scenario> all;
    add_command_scenarios(all);
    add_limit_scenarios(all);
    add_data_scenarios(all);
    add_reservation_scenarios(all);
    add_fused_scenarios(all);
    add_protection_scenarios(all);
    add_path_scenarios(all);
    add_cross_reset_scenarios(all);
    add_connect_scenarios(all);
    add_authentication_scenarios(all);
    add_tls_scenarios(all);
    return all;
}

std::string code_of(nvme::status s) {
    return fmt::format("{}/{:02X}h", static_cast<int>(s.sct), s.sc);
}

CONFORMANCE(status_test, every_row_of_the_table, "E/status", "E/crd") {
    const auto all = scenarios();
    const std::vector<promise> table = read_table();
    EXPECT_GT(table.size(), 20u);
    std::set<std::string> walked;
    for (const promise& row : table) {
        SCOPED_TRACE(row.situation);
        const auto at = all.find(row.situation);
        if (at == all.end()) {
            ADD_FAILURE() << "no scenario brings this about";
            continue;
        }
        walked.insert(row.situation);
        for (const bool acre : {false, true}) {
            if (acre && row.crd != "yes") continue;
            meet(acre);
            const nvme::status got = at->second();
            EXPECT_EQ(code_of(got), row.code) << host::text_of(got);
            EXPECT_EQ(got.dnr ? "yes" : "no", row.dnr);
            EXPECT_EQ(got.crd, acre ? 1 : 0);
            EXPECT_FALSE(got.more);
            spy_.answer(io_kind::read, std::nullopt);
            spy_.answer(io_kind::write, std::nullopt);
            part();
        }
    }
    for (const auto& [situation, how] : all)
        EXPECT_TRUE(walked.contains(situation)) << situation << " is not in docs/status.md";
}

std::string read_whole(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

/// Words of `text` that follow `mark`.
std::set<std::string> words_behind(const std::string& text, const std::string& mark) {
    std::set<std::string> all;
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        const std::size_t from = at + mark.size();
        std::size_t to = from;
        while (to < text.size() &&
               (std::isalnum(static_cast<unsigned char>(text[to])) != 0 || text[to] == '_'))
            ++to;
        all.insert(text.substr(from, to - from));
    }
    return all;
}

/// "write_fault" → "2/80h", for every constant of status.hpp.
std::map<std::string, std::string> codes_by_name(const std::filesystem::path& source) {
    const std::string text = read_whole(source / "include/fulmar/nvme/status.hpp");
    const std::map<std::string, int> types{
        {"generic", 0}, {"specific", 1}, {"media", 2}, {"path", 3}};
    std::map<std::string, std::string> all;
    for (const std::string& name : words_behind(text, "inline constexpr status ")) {
        const std::size_t at = text.find("status " + name + " = ") + name.size() + 10;
        const std::size_t open = text.find('(', at);
        const std::size_t close = text.find(')', at);
        const int code = std::stoi(text.substr(open + 1, close - open - 1), nullptr, 16);
        all[name] = fmt::format("{}/{:02X}h", types.at(text.substr(at, open - at)), code);
    }
    return all;
}

// What a source file of the target can answer with is in the table, or its reason not to be is
// here.
TEST(status_table, has_a_row_for_every_status_that_the_sources_name) {
    const std::map<std::string, std::string> exempt{
        {"success", "is no error"},
        {"invalid_sgl_segment", "RDMA only, and walked by unit tests of its data pointers"},
        {"invalid_sgl_count", "RDMA only, and walked by unit tests of its data pointers"},
        {"internal_path_error", "how drives tell core of their loss; core puts the answer's in"},
    };
    const char* root = std::getenv("FULMAR_SOURCE_DIR");
    const std::filesystem::path source = root != nullptr ? root : ".";
    const auto codes = codes_by_name(source);
    EXPECT_GT(codes.size(), 80u);
    EXPECT_EQ(codes.at("write_fault"), "2/80h");
    std::set<std::string> rows;
    for (const promise& row : read_table()) rows.insert(row.code);
    std::set<std::string> used;
    for (const char* folder : {"src/core", "src/transport", "src/backend", "include/fulmar/core",
                               "include/fulmar/backend", "include/fulmar/transport"})
        for (const auto& file : std::filesystem::recursive_directory_iterator(source / folder))
            if (file.path().extension() == ".cpp" || file.path().extension() == ".hpp")
                used.merge(words_behind(read_whole(file.path()), "sc::"));
    EXPECT_GT(used.size(), 30u);
    for (const std::string& name : used) {
        const auto code = codes.find(name);
        if (code == codes.end()) continue;  // a helper
        EXPECT_TRUE(rows.contains(code->second) != exempt.contains(name))
            << "sc::" << name << ", " << code->second << ": a row in docs/status.md, or a reason";
    }
    for (const auto& [name, why] : exempt) EXPECT_TRUE(used.contains(name)) << name << " " << why;
}

}  // namespace
}  // namespace fulmar::conformance
