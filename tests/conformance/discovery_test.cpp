// D9: the discovery log, who sees what in it, and how it changes.
#include "suite.hpp"

#include <fulmar/nvme/discovery.hpp>

#include <algorithm>
#include <set>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(d9_discovery);

using entry = host::discovery_entry;

host::discovery_log log_of(host::controller& c) { return must(host::read_discovery_log(c)); }

std::vector<std::string> subsystems(const host::discovery_log& log) {
    std::vector<std::string> all;
    for (const entry& e : log.entries)
        if (e.subtype == static_cast<std::uint8_t>(nvme::subsystem_type::nvm))
            all.push_back(e.subnqn);
    std::sort(all.begin(), all.end());
    return all;
}

using names = std::vector<std::string>;

/// What the discovery service calls itself.
names own_names(const host::discovery_log& log) {
    names all;
    for (const entry& e : log.entries)
        if (e.subtype == static_cast<std::uint8_t>(nvme::subsystem_type::current_discovery))
            all.push_back(e.subnqn);
    return all;
}

CONFORMANCE(d9_discovery, entries, "D9/entry", "D5/70", "D1/names") {
    const auto c = connect_discovery();
    const host::discovery_log log = log_of(*c);
    EXPECT_EQ(log.record_format, 0);
    ASSERT_EQ(log.entries.size(), 2u);
    const host::endpoint here = target().endpoint();
    for (const entry& e : log.entries) {
        EXPECT_EQ(e.transport, static_cast<std::uint8_t>(nvme::trtype::tcp));
        EXPECT_EQ(e.address_family, static_cast<std::uint8_t>(nvme::adrfam::ipv4));
        EXPECT_EQ(e.address, here.address);
        EXPECT_EQ(e.service, std::to_string(here.port));
        EXPECT_EQ(e.cntlid, nvme::cntlid_dynamic);
        EXPECT_GE(e.admin_queue_entries, nvme::admin_queue_entries_min);
        EXPECT_EQ(e.treq & 3, nvme::treq::secure_channel_not_required);
        EXPECT_EQ(e.tcp_security, static_cast<std::uint8_t>(nvme::tcp_sectype::none));
        const bool self =
            e.subtype == static_cast<std::uint8_t>(nvme::subsystem_type::current_discovery);
        EXPECT_EQ(e.subnqn, self ? nvme::discovery_nqn : subsystem_nqn);
        EXPECT_EQ((e.flags & nvme::eflags::explicit_persistent_connection) != 0, self);
    }
}

CONFORMANCE(d9_discovery, connecting_to_what_was_found, "D9/entry") {
    const auto found = log_of(*connect_discovery());
    for (const entry& e : found.entries) {
        host::controller_options options = host_options();
        options.target = {.address = e.address,
                          .port = static_cast<std::uint16_t>(std::stoi(e.service))};
        options.subnqn = e.subnqn;
        EXPECT_TRUE(host::controller::connect(options).has_value());
    }
}

CONFORMANCE(d9_discovery, generation_counts_every_change, "D9/generation") {
    const auto c = connect_discovery();
    std::uint64_t last = log_of(*c).generation;
    const auto moved = [&](const char* what) {
        const std::uint64_t now = log_of(*c).generation;
        EXPECT_GT(now, last) << what;
        last = now;
    };
    const std::string nqn(subsystem_nqn);
    EXPECT_EQ(log_of(*c).generation, last) << "reading is no change";
    target().must<core::subsystem_status>(
        core::create_subsystem{{.nqn = "nqn.2026-01.io.fulmar:x"}});
    moved("a subsystem more");
    target().must(core::add_host{.nqn = "nqn.2026-01.io.fulmar:x", .host = std::string(host_nqn)});
    moved("a host more");
    target().must(
        core::remove_host{.nqn = "nqn.2026-01.io.fulmar:x", .host = std::string(host_nqn)});
    moved("a host less");
    target().must<core::subsystem_status>(core::set_allow_any_host{.nqn = nqn, .allow = false});
    moved("not any host any more");
    target().must(core::delete_subsystem{"nqn.2026-01.io.fulmar:x"});
    moved("a subsystem less");
    const auto added = target().must<core::listener_status>(
        core::add_listener{{.address = "127.0.0.1", .port = 0}});
    moved("a listener more");
    target().must(core::remove_listener{added.spec.name()});
    moved("a listener less");
    target().must(core::add_referral{{.address = "192.0.2.1"}});
    moved("a referral more");
    target().must(core::remove_referral{{.address = "192.0.2.1"}});
    moved("a referral less");
}

CONFORMANCE(d9_discovery, in_pieces, "D9/generation", "D5/offset") {
    for (int i = 0; i < 5; ++i)
        setup.spec.subsystems.push_back(
            {.nqn = "nqn.2026-01.io.fulmar:n" + std::to_string(i), .allow_any_host = true});
    const auto c = connect_discovery();
    const std::size_t size = 1024 + 7 * 1024;
    const bytes whole = must(c->get_log({.lid = 0x70, .length_bytes = size}));
    EXPECT_EQ(nvme::read_wire<nvme::discovery_log_header>(whole)->numrec.value(), 7u);
    bytes pieces;
    for (std::uint64_t at = 0; at < size; at += 256) {
        const bytes piece =
            must(c->get_log({.lid = 0x70, .length_bytes = 256, .offset_bytes = at}));
        pieces.insert(pieces.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(pieces, whole);
    bytes room(1024);
    const auto status = [&](std::uint64_t at) {
        return run_read(c->admin(),
                        log_sqe({.lid = 0x70, .length_bytes = 1024, .offset_bytes = at}), room)
            .status();
    };
    EXPECT_EQ(status(size), sc::success);
    EXPECT_EQ(room, bytes(1024)) << "zeroes behind the end";
    EXPECT_EQ(status(size + 4), sc::invalid_field.no_retry());
    EXPECT_EQ(status(2), sc::invalid_field.no_retry());
    EXPECT_EQ(status(~std::uint64_t{3}), sc::invalid_field.no_retry());
    // More than there is: zeroes.
    const bytes more =
        must(c->get_log({.lid = 0x70, .length_bytes = 4096, .offset_bytes = size - 1024}));
    EXPECT_TRUE(std::equal(more.begin(), more.begin() + 1024, whole.end() - 1024));
    EXPECT_EQ(more[1024], std::byte{0});
}

CONFORMANCE(d9_discovery, hosts_see_what_they_may_use, "D9/filter") {
    setup.spec.subsystems.push_back(
        {.nqn = "nqn.2026-01.io.fulmar:mine", .hosts = {std::string(host_nqn)}});
    setup.spec.subsystems.push_back(
        {.nqn = "nqn.2026-01.io.fulmar:theirs", .hosts = {std::string(other_nqn)}});
    host::controller_options options = host_options();
    options.subnqn = nvme::discovery_nqn;
    EXPECT_EQ(subsystems(log_of(*connect(options))),
              (names{std::string(subsystem_nqn), "nqn.2026-01.io.fulmar:mine"}));
    options.hostnqn = other_nqn;
    EXPECT_EQ(subsystems(log_of(*connect(options))),
              (names{std::string(subsystem_nqn), "nqn.2026-01.io.fulmar:theirs"}));
    options.hostnqn = "nqn.2026-01.io.fulmar:nobody";
    const auto c = connect(options);
    EXPECT_EQ(subsystems(log_of(*c)), names{std::string(subsystem_nqn)});
    target().must(core::add_host{.nqn = "nqn.2026-01.io.fulmar:mine", .host = options.hostnqn});
    EXPECT_EQ(subsystems(log_of(*c)).size(), 2u);
}

CONFORMANCE(d9_discovery, paused_subsystems_stay, "D9/filter") {
    target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    EXPECT_EQ(subsystems(log_of(*connect_discovery())), names{std::string(subsystem_nqn)});
    target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
}

CONFORMANCE(d9_discovery, several_listeners, "D9/entry", "D9/filter") {
    setup.spec.listeners.push_back({.address = "127.0.0.1", .port = 0});
    setup.spec.listeners.push_back({.address = "::1", .port = 0});
    const auto log = log_of(*connect_discovery());
    ASSERT_EQ(log.entries.size(), 6u);
    int v6 = 0;
    for (const entry& e : log.entries) {
        const bool is_v6 = e.address_family == static_cast<std::uint8_t>(nvme::adrfam::ipv6);
        v6 += is_v6 ? 1 : 0;
        EXPECT_EQ(e.address, is_v6 ? "::1" : "127.0.0.1");
    }
    EXPECT_EQ(v6, 2);
}

CONFORMANCE(d9_discovery, referrals, "D9/referral") {
    setup.spec.referrals = {{.address = "192.0.2.7", .port = 8009},
                            {.address = "2001:db8::1", .port = 4420}};
    const auto log = log_of(*connect_discovery());
    std::vector<entry> referrals;
    for (const entry& e : log.entries)
        if (e.subtype == static_cast<std::uint8_t>(nvme::subsystem_type::referral))
            referrals.push_back(e);
    ASSERT_EQ(referrals.size(), 2u);
    EXPECT_EQ(referrals[0].address, "192.0.2.7");
    EXPECT_EQ(referrals[0].service, "8009");
    EXPECT_EQ(referrals[0].subnqn, nvme::discovery_nqn);
    EXPECT_EQ(referrals[1].address_family, static_cast<std::uint8_t>(nvme::adrfam::ipv6));
}

CONFORMANCE(d9_discovery, wildcard_listeners, "D9/wildcard") {
    setup.spec.listeners = {{.address = "0.0.0.0", .port = 0}, {.address = "::", .port = 0}};
    host::controller_options options = host_options();
    options.subnqn = nvme::discovery_nqn;
    struct way {
        std::size_t listener;
        const char* address;
    };
    for (const way& w : {way{0, "127.0.0.1"}, way{0, "127.0.0.2"}, way{1, "::1"}}) {
        SCOPED_TRACE(w.address);
        options.target = {.address = w.address, .port = target().endpoint(w.listener).port};
        const auto log = log_of(*connect(options));
        // The addresses of the other family are not known here; none is better than a wrong one.
        ASSERT_EQ(log.entries.size(), 2u);
        for (const entry& e : log.entries) {
            EXPECT_EQ(e.address, w.address);
            EXPECT_EQ(e.service, std::to_string(options.target.port));
        }
    }
}

// One service that can be reached by both names. Whichever the host used, it learns the unique one;
// so hosts take both for one subsystem, in which no controller id may be there twice.
CONFORMANCE(d9_discovery, a_unique_name, "D9/unique") {
    const std::string unique = "nqn.2026-01.io.fulmar:discovery:42";
    setup.limits.discovery_nqn = unique;
    host::controller_options options = host_options();
    std::vector<std::unique_ptr<host::controller>> all;
    std::set<std::uint16_t> ids;
    for (const std::string& nqn : {unique, std::string(nvme::discovery_nqn)}) {
        SCOPED_TRACE(nqn);
        options.subnqn = nqn;
        all.push_back(connect(options));
        const auto& c = all.back();
        EXPECT_TRUE(ids.insert(c->id()).second) << "controller id " << c->id() << " is there twice";
        EXPECT_EQ(c->identity().cntrltype,
                  static_cast<std::uint8_t>(nvme::controller_type::discovery));
        EXPECT_EQ(nvme::read_nqn(c->identity().subnqn), unique);
        EXPECT_EQ(own_names(log_of(*c)), names{unique});
    }
    EXPECT_TRUE(connect(options)->keep_alive().has_value());
}

CONFORMANCE(d9_discovery, without_a_unique_name_the_well_known_one, "D9/unique") {
    const auto c = connect_discovery();
    EXPECT_EQ(nvme::read_nqn(c->identity().subnqn), nvme::discovery_nqn);
    EXPECT_EQ(own_names(log_of(*c)), names{std::string(nvme::discovery_nqn)});
}

// What many hosts that poll can make the control reactor do: one page per change for all whom no
// subsystem names, one for each that is named.
CONFORMANCE(d9_discovery, polling_costs_one_page_per_change, "D9/generation", "D9/filter") {
    offered().hosts = {std::string(host_nqn)};
    host::controller_options options = host_options();
    options.subnqn = nvme::discovery_nqn;
    std::vector<std::unique_ptr<host::controller>> strangers;
    for (int i = 0; i < 8; ++i) {
        options.hostnqn = "nqn.2026-01.io.fulmar:stranger" + std::to_string(i);
        strangers.push_back(connect(options));
    }
    const auto named = connect_discovery();
    const auto made = [&] { return target().count("fulmar_discovery_pages_total"); };
    const std::uint64_t before = made();
    const auto poll = [&] {
        for (int i = 0; i < 20; ++i) {
            for (const auto& c : strangers) EXPECT_EQ(subsystems(log_of(*c)).size(), 1u);
            EXPECT_EQ(subsystems(log_of(*named)).size(), 1u);
        }
    };
    poll();
    EXPECT_EQ(made(), before + 2);
    target().must(core::add_referral{{.address = "192.0.2.7"}});
    poll();
    EXPECT_EQ(made(), before + 4);
    EXPECT_EQ(log_of(*named).entries.size(), 3u) << "and they see the change";
}

// Commands that wait for the same page; and each sees every change that was answered before it was
// sent.
CONFORMANCE(d9_discovery, many_questions_at_once_see_what_was_changed_before, "D9/generation") {
    host::raw_session s = raw();
    host::connect_parameters p = parameters();
    p.subnqn = nvme::discovery_nqn;
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
    must(s.run(
        raw_sqe(host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4,
                                        nvme::controller_configuration{.en = true}.pack()),
                1)));
    for (int round = 0; round < 20; ++round) {
        for (std::uint16_t cid = 0; cid < 16; ++cid) {
            const nvme::get_log_page header{.lid = 0x70, .length_bytes = 16};
            must(s.send(
                host::make_capsule(raw_sqe(log_sqe(header), cid, nvme::make_transport_sgl(16)))));
            if (cid == 7) {
                target().must(
                    core::add_referral{{.address = "192.0.2." + std::to_string(round + 1)}});
            }
        }
        for (int i = 0; i < 16; ++i) {
            const host::raw_reply got = must(s.collect(static_cast<std::uint16_t>(i)));
            EXPECT_STATUS(got, sc::success);
            const auto records =
                nvme::read_wire<nvme::le64>(std::span(got.data).subspan(8)).value().value();
            if (i > 7) {
                EXPECT_EQ(records, 2u + round + 1) << "the change had been answered";
            } else {
                EXPECT_GE(records, 2u + round);
            }
        }
    }
}

CONFORMANCE(d9_discovery, every_host_may_ask, "D9/filter") {
    offered().allow_any_host = false;
    host::controller_options options = host_options();
    options.subnqn = nvme::discovery_nqn;
    options.hostnqn = "nqn.2026-01.io.fulmar:stranger";
    EXPECT_EQ(subsystems(log_of(*connect(options))), names{});
}

CONFORMANCE(d9_discovery, a_persistent_controller_outlives_many_changes, "D9/persistent",
            "D8/2.F0") {
    host::controller_options options = host_options();
    options.subnqn = nvme::discovery_nqn;
    options.keep_alive_ms = 30'000;
    options.async_events = 2;
    const auto c = connect(options);
    must(c->set_features({.fid = 0x0b, .cdw11 = nvme::async_event_config::discovery_log_change}));
    for (int i = 0; i < 20; ++i)
        target().must(core::add_referral{{.address = "192.0.2." + std::to_string(i + 1)}});
    EXPECT_EQ(await_events(*c), std::vector<nvme::async_event>{nvme::event::discovery_log_changed});
    expect_no_event(*c);
    EXPECT_EQ(log_of(*c).entries.size(), 22u);
    target().must(core::remove_referral{{.address = "192.0.2.1"}});
    EXPECT_EQ(await_events(*c).size(), 1u);
}

}  // namespace
}  // namespace fulmar::conformance
