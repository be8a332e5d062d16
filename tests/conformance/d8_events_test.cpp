// D8: asynchronous events, with the log pages that go with them: changed namespaces and ANA.
#include "suite.hpp"
#include "support/spy_device.hpp"

namespace fulmar::conformance {
namespace {

namespace bit = nvme::async_event_config;
namespace event = nvme::event;

class d8_events : public suite {
  protected:
    testing::spy spy;  // outlives the target
    /// A host that wants to know of `events` and has asked often enough.
    std::unique_ptr<host::controller> connect_for(std::uint32_t events,
                                                  std::uint32_t requests = 4) {
        host::controller_options options = host_options();
        options.async_events = requests;
        auto c = connect(options);
        must(c->set_features({.fid = 0x0b, .cdw11 = events}));
        return c;
    }
    void add(std::uint32_t nsid, const std::string& device) {
        target().must<core::device_status>(
            core::create_device{{.name = device, .type = "null", .size_bytes = 1u << 20}});
        target().must<core::namespace_status>(core::add_namespace{
            .nqn = std::string(subsystem_nqn), .spec = {.nsid = nsid, .device = device}});
    }
    void remove(std::uint32_t nsid) {
        target().must(core::remove_namespace{.nqn = std::string(subsystem_nqn), .nsid = nsid});
    }
    void set_ana(std::uint32_t nsid, core::ana_state state) {
        target().must<core::namespace_status>(
            core::set_ana_state{.nqn = std::string(subsystem_nqn), .nsid = nsid, .state = state});
    }
};
INSTANTIATE_TEST_SUITE_P(reactors, d8_events, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

using events = std::vector<nvme::async_event>;

std::vector<std::uint32_t> changed(host::controller& c, bool rae = false) {
    const auto log = read_log<nvme::changed_namespace_log>(c, nvme::lid::changed_namespaces, rae);
    std::vector<std::uint32_t> all;
    for (const nvme::le32& n : log.nsid)
        if (n.value() != 0) all.push_back(n.value());
    return all;
}

using list = std::vector<std::uint32_t>;

CONFORMANCE(d8_events, namespace_added, "D8/2.00", "D5/04", "E/namespace", "D3/0C") {
    const auto c = connect_for(bit::namespace_attribute);
    add(7, "seven");
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed});
    EXPECT_EQ(changed(*c), list{7});
    EXPECT_EQ(changed(*c), list{}) << "reading clears it";
    EXPECT_EQ(must(c->active_namespaces()), (list{1, 2, 7}));
    host::queue& q = *must(c->open_io_queue(1, 4));
    bytes block(512);
    EXPECT_STATUS(read_blocks(q, 0, block, 7), sc::success);
}

CONFORMANCE(d8_events, namespace_removed, "D8/2.00", "D5/04", "E/namespace") {
    const auto c = connect_for(bit::namespace_attribute);
    host::queue& q = *must(c->open_io_queue(1, 4));
    remove(2);
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed});
    EXPECT_EQ(changed(*c), list{2});
    EXPECT_EQ(must(c->active_namespaces()), list{1});
    bytes block(4096);
    EXPECT_STATUS(read_blocks(q, 0, block, 2, 4096), sc::invalid_namespace_or_format.no_retry());
    EXPECT_STATUS(read_blocks(q, 0, block), sc::success);
}

CONFORMANCE(d8_events, namespace_resized, "D8/2.00", "D5/04", "E/namespace") {
    const auto c = connect_for(bit::namespace_attribute);
    host::queue& q = *must(c->open_io_queue(1, 4));
    const auto half = target().must<core::device_status>(
        core::resize_device{.name = "a", .size_bytes = namespace_bytes / 2, .allow_shrink = true});
    EXPECT_EQ(half.spec.size_bytes, namespace_bytes / 2);
    EXPECT_EQ(half.block_count, namespace_bytes / 1024);
    const auto spec = target().must<core::target_spec>(core::get_spec{});
    EXPECT_EQ(spec.devices.at(0).size_bytes, namespace_bytes / 2) << "what a journal would keep";
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed});
    EXPECT_EQ(changed(*c), list{1});
    EXPECT_EQ(must(c->identify_namespace(1)).nsze.value(), namespace_bytes / 1024);
    bytes block(512);
    EXPECT_STATUS(read_blocks(q, namespace_bytes / 1024, block), sc::lba_out_of_range.no_retry());
    target().must<core::device_status>(
        core::resize_device{.name = "a", .size_bytes = namespace_bytes});
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed});
    EXPECT_STATUS(read_blocks(q, namespace_bytes / 1024, block), sc::success);
    EXPECT_EQ(block, bytes(512)) << "what comes back is zeroes";
}

CONFORMANCE(d8_events, one_of_a_kind_until_the_log_is_read, "D8/mask", "D5/rae") {
    const auto c = connect_for(bit::namespace_attribute);
    add(7, "seven");
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed});
    add(8, "eight");
    add(9, "nine");
    expect_no_event(*c);
    EXPECT_EQ(changed(*c, true), (list{7, 8, 9})) << "with RAE: to be read again";
}

CONFORMANCE(d8_events, retain_keeps_the_event_masked, "D5/rae", "D8/mask") {
    const auto c = connect_for(bit::namespace_attribute);
    add(7, "seven");
    EXPECT_EQ(await_events(*c).size(), 1u);
    changed(*c, true);
    remove(7);
    expect_no_event(*c);
    EXPECT_EQ(changed(*c), list{7});
    add(7, "again");
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed})
        << "not masked any more";
}

CONFORMANCE(d8_events, different_kinds_do_not_mask_each_other, "D8/mask") {
    const auto c = connect_for(bit::namespace_attribute | bit::ana_change);
    add(7, "seven");
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed});
    set_ana(1, core::ana_state::non_optimized);
    EXPECT_EQ(await_events(*c), events{event::ana_changed});
}

CONFORMANCE(d8_events, only_what_is_enabled, "D8/enable") {
    const auto c = connect_for(bit::ana_change);
    add(7, "seven");
    expect_no_event(*c);
    must(c->set_features({.fid = 0x0b, .cdw11 = bit::namespace_attribute}));
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed})
        << "what happened before it was enabled is told now";
    set_ana(1, core::ana_state::non_optimized);
    expect_no_event(*c);
}

CONFORMANCE(d8_events, without_a_request_nothing_is_lost, "D8/enable") {
    const auto c = connect();
    must(c->set_features({.fid = 0x0b, .cdw11 = bit::namespace_attribute}));
    add(7, "seven");
    host::raw_session unrelated = raw_admin();
    const nvme::sqe ask = admin_sqe(nvme::admin_opcode::async_event_request);
    const host::reply got = run(c->admin(), {.sqe = ask});
    EXPECT_STATUS(got, sc::success);
    EXPECT_EQ(nvme::async_event::unpack(got.dw0()), event::namespace_attribute_changed);
}

CONFORMANCE(d8_events, more_changes_than_the_page_holds, "D5/04") {
    const auto c = connect_for(bit::namespace_attribute);
    // 1024 NSIDs fit, and there are no more: the list never overflows, but it can be full.
    for (std::uint32_t n = 3; n <= 40; ++n) add(n, "n" + std::to_string(n));
    EXPECT_EQ(await_events(*c).size(), 1u);
    const list all = changed(*c);
    EXPECT_EQ(all.size(), 38u);
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

CONFORMANCE(d8_events, ana_change, "D8/2.03", "D5/0C") {
    const auto c = connect_for(bit::ana_change);
    set_ana(2, core::ana_state::inaccessible);
    EXPECT_EQ(await_events(*c), events{event::ana_changed});
    set_ana(2, core::ana_state::optimized);
    expect_no_event(*c);
    must(c->get_log({.lid = 0x0c, .length_bytes = 16}));
    set_ana(2, core::ana_state::inaccessible);
    EXPECT_EQ(await_events(*c), events{event::ana_changed});
}

CONFORMANCE(d8_events, ana_log, "D5/0C") {
    const auto c = connect();
    const auto header = [&] { return read_log<nvme::ana_log_header>(*c, nvme::lid::ana); };
    const std::uint64_t before = header().change_count.value();
    EXPECT_EQ(header().groups.value(), 2);
    const core::ana_state states[] = {core::ana_state::non_optimized, core::ana_state::inaccessible,
                                      core::ana_state::persistent_loss, core::ana_state::change,
                                      core::ana_state::optimized};
    std::uint64_t changes = 0;
    for (const core::ana_state state : states) {
        set_ana(2, state);
        ++changes;
        const bytes log = must(c->get_log({.lid = 0x0c, .length_bytes = 16 + 2 * 36}));
        EXPECT_EQ(nvme::read_wire<nvme::ana_log_header>(log)->change_count.value(),
                  before + changes);
        for (std::uint32_t n = 1; n <= 2; ++n) {
            const std::span at = std::span(log).subspan(16 + (n - 1) * 36);
            const auto group = nvme::read_wire<nvme::ana_group_descriptor>(at).value();
            EXPECT_EQ(group.group_id.value(), n);
            EXPECT_EQ(group.nsids.value(), 1u);
            EXPECT_EQ(group.change_count.value(), n == 1 ? 1 : 1 + changes)
                << "of this group alone, and never 0, which would say that nobody counts";
            EXPECT_EQ(group.state & 0xf, n == 1 ? 1 : static_cast<int>(state));
            EXPECT_EQ(nvme::read_wire<nvme::le32>(at.subspan(32))->value(), n);
        }
    }
    set_ana(2, core::ana_state::optimized);
    EXPECT_EQ(header().change_count.value(), before + changes) << "no change, no count";
}

CONFORMANCE(d8_events, ana_log_of_groups_only_and_in_pieces, "D5/0C", "D5/offset") {
    const auto c = connect();
    const bytes groups = must(c->get_log(
        {.lid = 0x0c, .lsp = nvme::ana_return_groups_only, .length_bytes = 16 + 2 * 32}));
    const auto second = nvme::read_wire<nvme::ana_group_descriptor>(std::span(groups).subspan(48));
    EXPECT_EQ(second->group_id.value(), 2u);
    EXPECT_EQ(second->nsids.value(), 0u);
    const bytes whole = must(c->get_log({.lid = 0x0c, .length_bytes = 88}));
    bytes pieces;
    for (std::uint64_t at = 0; at < 88; at += 4) {
        const bytes four = must(c->get_log({.lid = 0x0c, .length_bytes = 4, .offset_bytes = at}));
        pieces.insert(pieces.end(), four.begin(), four.end());
    }
    EXPECT_EQ(pieces, whole);
    bytes room(64);
    const nvme::sqe beyond = log_sqe({.lid = 0x0c, .length_bytes = 64, .offset_bytes = 92});
    EXPECT_STATUS(run_read(c->admin(), beyond, room), sc::invalid_field.no_retry());
}

CONFORMANCE(d8_events, temperature_meets_its_threshold, "D8/1", "D7/04") {
    const auto c = connect_for(bit::smart_temperature);
    expect_no_event(*c);
    must(c->set_features({.fid = 0x04, .cdw11 = 280}));
    EXPECT_EQ(await_events(*c), events{event::temperature});
    EXPECT_EQ(read_log<nvme::smart_log>(*c, nvme::lid::smart).critical_warning,
              nvme::critical_warning::temperature);
}

CONFORMANCE(d8_events, what_a_drive_says_of_its_health, "D8/1", "D5/02", "D8/mask") {
    setup.spec.devices[0].type = "spy";
    setup.devices = spy.factory();
    const auto c = connect_for(bit::smart_spare | bit::smart_reliability);
    expect_no_event(*c);
    spy.ail(backend::device_health{.critical_warning = nvme::critical_warning::spare,
                                   .temperature_kelvin = 321,
                                   .available_spare_percent = 4,
                                   .spare_threshold_percent = 9,
                                   .used_percent = 77,
                                   .media_errors = 5});
    must(c->keep_alive());
    EXPECT_EQ(await_events(*c), events{event::spare});
    must(c->keep_alive());
    expect_no_event(*c);
    const auto log = read_log<nvme::smart_log>(*c, nvme::lid::smart);
    EXPECT_EQ(log.critical_warning, nvme::critical_warning::spare);
    EXPECT_EQ(log.temperature_kelvin.value(), 321u);
    EXPECT_EQ(log.available_spare_percent, 4u);
    EXPECT_EQ(log.spare_threshold_percent, 9u);
    EXPECT_EQ(log.used_percent, 77u);
    EXPECT_EQ(log.media_errors.low.value(), 5u);
    // Another warning beside the first, which has been told.
    spy.ail(backend::device_health{
        .critical_warning = nvme::critical_warning::spare | nvme::critical_warning::read_only,
        .temperature_kelvin = 300});
    must(c->keep_alive());
    EXPECT_EQ(await_events(*c), events{event::reliability});
}

CONFORMANCE(d8_events, discovery_log_change, "D8/2.F0", "D9/persistent", "D3/0C") {
    host::controller_options options = host_options();
    options.subnqn = nvme::discovery_nqn;
    options.keep_alive_ms = 30'000;
    options.async_events = 1;
    const auto c = connect(options);
    must(c->set_features({.fid = 0x0b, .cdw11 = bit::discovery_log_change}));
    target().must<core::subsystem_status>(
        core::create_subsystem{{.nqn = "nqn.2026-01.io.fulmar:new", .allow_any_host = true}});
    EXPECT_EQ(await_events(*c), events{event::discovery_log_changed});
    EXPECT_EQ(must(host::read_discovery_log(*c)).entries.size(), 3u);
    target().must(core::delete_subsystem{"nqn.2026-01.io.fulmar:new"});
    EXPECT_EQ(await_events(*c), events{event::discovery_log_changed});
    EXPECT_EQ(must(host::read_discovery_log(*c)).entries.size(), 2u);
}

CONFORMANCE(d8_events, a_pause_neither_aborts_nor_loses, "D8/pause") {
    const auto c = connect_for(bit::namespace_attribute);
    target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    expect_no_event(*c);
    must(c->keep_alive());
    add(7, "seven");
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed}) << "also while paused";
    target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
    changed(*c);
    remove(7);
    EXPECT_EQ(await_events(*c), events{event::namespace_attribute_changed});
}

CONFORMANCE(d8_events, a_reset_aborts_and_forgets, "D8/reset") {
    host::raw_session s = raw_admin();
    must(s.send(
        host::make_capsule(raw_sqe(admin_sqe(nvme::admin_opcode::async_event_request), 50))));
    nvme::sqe disable =
        host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, 0);
    const host::raw_reply got = must(s.run(raw_sqe(disable, 51)));
    EXPECT_STATUS(got, sc::success);
    std::size_t ended = 0;
    for (const host::raw_pdu& pdu : got.pdus)
        if (const auto answer = pdu.response(); answer && answer->cid.value() == 50) {
            ++ended;
            EXPECT_EQ(answer->get_status(), sc::aborted_sq_deletion);
        }
    EXPECT_EQ(ended, 1u) << "the request ends with the reset, not later and not twice";
}

}  // namespace
}  // namespace fulmar::conformance
