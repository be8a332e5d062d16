// Namespaces that only some hosts see: to the others they are not there (Base 2.0, section 3.2.1:
// a namespace that is not attached to a controller is inactive there).
#include "suite.hpp"
#include "support/reservation_commands.hpp"
#include "support/spy_device.hpp"
#include "support/viewers.hpp"

#include <fulmar/nvme/reservation.hpp>

namespace fulmar::conformance {
namespace {

using nsids = std::vector<std::uint32_t>;
using cns_values = std::initializer_list<std::uint8_t>;
using heard = std::vector<nvme::async_event>;
namespace bit = nvme::async_event_config;
namespace event = nvme::event;

constexpr nvme::status not_there = sc::invalid_namespace_or_format.no_retry();

class visibility_test : public suite {
  protected:
    struct member {
        std::unique_ptr<host::controller> c;
        host::queue* io = nullptr;
        std::string nqn;
    };
    member join(std::string_view nqn) {
        host::controller_options options = host_options();
        options.async_events = 4;
        options.hostnqn = nqn;
        options.hostid = nvme::derive_uuid("a host that sees", nqn == host_nqn ? 1 : 2);
        member m{.c = connect(options), .io = nullptr, .nqn = std::string(nqn)};
        m.io = must(m.c->open_io_queue(1, 8));
        must(m.c->set_features({.fid = 0x0b, .cdw11 = bit::namespace_attribute | bit::ana_change}));
        return m;
    }
    void show(std::uint32_t nsid, core::host_choice hosts) {
        target().must<core::namespace_status>(
            test::visible_to(std::string(subsystem_nqn), nsid, std::move(hosts)));
    }
    static core::host_choice only_one() { return test::only({std::string(host_nqn)}); }
    void set_ana(std::uint32_t nsid, core::ana_state state) {
        target().must<core::namespace_status>(
            core::set_ana_state{.nqn = std::string(subsystem_nqn), .nsid = nsid, .state = state});
    }
    void make(std::uint32_t nsid, core::host_choice hosts) {
        const std::string device = "more" + std::to_string(++made_);
        target().must<core::device_status>(
            core::create_device{{.name = device, .type = "null", .size_bytes = 1u << 20}});
        target().must<core::namespace_status>(core::add_namespace{
            .nqn = std::string(subsystem_nqn),
            .spec = {.nsid = nsid, .device = device, .visible_to = std::move(hosts)}});
    }

  private:
    unsigned made_ = 0;
};
INSTANTIATE_TEST_SUITE_P(reactors, visibility_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

nsids changed_nsids(host::controller& c) {
    const auto log = read_log<nvme::changed_namespace_log>(c, nvme::lid::changed_namespaces);
    nsids all;
    for (const nvme::le32& n : log.nsid)
        if (n.value() != 0) all.push_back(n.value());
    return all;
}

nsids ana_groups(host::controller& c) {
    const bytes log = must(c.get_log({.lid = 0x0c, .length_bytes = 4096}));
    const std::size_t count = nvme::read_wire<nvme::ana_log_header>(log)->groups.value();
    nsids all;
    for (std::size_t i = 0; i < count; ++i) {
        const std::span at = std::span(log).subspan(16 + i * 36);
        EXPECT_EQ(nvme::read_wire<nvme::ana_group_descriptor>(at)->nsids.value(), 1u);
        all.push_back(nvme::read_wire<nvme::le32>(at.subspan(32))->value());
    }
    const std::size_t used = 16 + count * 36;
    EXPECT_EQ(bytes(log.begin() + static_cast<std::ptrdiff_t>(used), log.end()), bytes(4096 - used))
        << "nothing behind them";
    return all;
}

host::reply identify_raw(host::controller& c, std::uint8_t cns, std::uint32_t nsid, bytes& page) {
    page.assign(4096, std::byte{0xee});
    return run_read(c.admin(), identify_sqe(cns, nsid), page);
}

nsids listed(host::controller& c, std::uint8_t cns) {
    bytes page;
    EXPECT_STATUS(identify_raw(c, cns, 0, page), sc::success);
    nsids all;
    for (std::size_t at = 0; at < page.size(); at += 4) {
        const auto nsid = nvme::read_wire<nvme::le32>(std::span(page).subspan(at))->value();
        if (nsid == 0) break;
        all.push_back(nsid);
    }
    return all;
}

std::vector<nvme::status> all_io(host::queue& q, std::uint32_t nsid) {
    const bytes block(4096);
    bytes got(4096);
    const auto with = [&](nvme::io_opcode opcode) {
        return io_sqe(opcode, {.slba = 0, .blocks = 1}, nsid);
    };
    nvme::sqe flush{};
    flush.nsid = nsid;
    nvme::sqe dsm{};
    dsm.opcode = static_cast<std::uint8_t>(nvme::io_opcode::dataset_management);
    dsm.nsid = nsid;
    nvme::encode_dataset_management(dsm,
                                    {.ranges = 1, .attributes = nvme::dsm_attribute::deallocate});
    nvme::dsm_range range{};
    range.blocks = 1;
    nvme::sqe copy{};
    copy.opcode = static_cast<std::uint8_t>(nvme::io_opcode::copy);
    copy.nsid = nsid;
    nvme::encode_copy(copy, {.sdlba = 8, .ranges = 1});
    nvme::copy_range source{};
    nvme::sqe report{};
    report.opcode = static_cast<std::uint8_t>(nvme::io_opcode::reservation_report);
    report.nsid = nsid;
    nvme::encode_reservation_report(report, {.length_bytes = 64, .extended = true});
    bytes status(64);
    const auto keys = test::reservation_keys(0, 7);
    const nvme::sqe enrol = test::reservation_sqe(nvme::io_opcode::reservation_register, {}, nsid);
    return {read_blocks(q, 0, got, nsid, 4096).status(),
            run(q, {.sqe = with(nvme::io_opcode::write_uncorrectable)}).status(),
            write_blocks(q, 0, block, nsid, 4096).status(),
            run_write(q, with(nvme::io_opcode::compare), block).status(),
            run(q, {.sqe = with(nvme::io_opcode::verify)}).status(),
            run(q, {.sqe = with(nvme::io_opcode::write_zeroes)}).status(),
            run_write(q, dsm, nvme::wire_bytes(range)).status(),
            run_write(q, copy, nvme::wire_bytes(source)).status(),
            run(q, {.sqe = flush}).status(),
            run_read(q, report, status).status(),
            run_write(q, enrol, nvme::wire_bytes(keys)).status(),
            run_write(q, enrol, nvme::wire_bytes(keys), false).status()};
}

CONFORMANCE(visibility_test, identify_shows_each_host_its_own, "E/visible", "D6/00", "D6/02",
            "D6/03", "D6/05", "D6/07", "D6/08", "D6/01") {
    show(2, only_one());
    const member one = join(host_nqn), other = join(other_nqn);
    for (const std::uint8_t cns : cns_values{0x02, 0x07}) {
        EXPECT_EQ(listed(*one.c, cns), (nsids{1, 2}));
        EXPECT_EQ(listed(*other.c, cns), nsids{1});
    }
    bytes seen, hidden;
    for (const std::uint8_t cns : cns_values{0x00, 0x05, 0x08}) {
        EXPECT_STATUS(identify_raw(*one.c, cns, 2, seen), sc::success);
        EXPECT_STATUS(identify_raw(*other.c, cns, 2, hidden), sc::success);
        EXPECT_EQ(hidden, bytes(4096)) << "inactive: zeroes, in CNS " << int{cns};
        if (cns != 0x05) {
            EXPECT_NE(seen, bytes(4096));
        }
    }
    EXPECT_STATUS(identify_raw(*one.c, 0x03, 2, seen), sc::success);
    EXPECT_STATUS(identify_raw(*other.c, 0x03, 2, hidden), not_there);
    for (const std::uint8_t cns : cns_values{0x10, 0x11, 0x12, 0x13, 0x1a, 0x1b})
        EXPECT_STATUS(identify_raw(*other.c, cns, cns == 0x10 ? 0 : 2, hidden),
                      sc::invalid_field.no_retry())
            << "no namespace management, hence no nsids of what is allocated";
    EXPECT_EQ(one.c->identity().nn.value(), other.c->identity().nn.value());
    EXPECT_EQ(one.c->identity().mnan.value(), other.c->identity().mnan.value());
}

CONFORMANCE(visibility_test, every_command_is_answered_as_if_nothing_was_there, "E/visible",
            "D4/0D") {
    show(2, only_one());
    const member one = join(host_nqn), other = join(other_nqn);
    for (const nvme::status got : all_io(*other.io, 2)) EXPECT_EQ(got, not_there);
    EXPECT_EQ(all_io(*other.io, 2), all_io(*other.io, 77)) << "nobody could tell the two apart";
    const auto mine = all_io(*one.io, 2);
    EXPECT_EQ(mine[0], sc::success);
    EXPECT_EQ(mine[1], sc::success);
    bytes block(512);
    EXPECT_STATUS(read_blocks(*other.io, 0, block), sc::success) << "what it sees is served";
    nvme::sqe flush{};
    flush.nsid = nvme::nsid_broadcast;
    EXPECT_STATUS(run(*other.io, {.sqe = flush}), not_there) << "VWC: no Flush of all";
}

CONFORMANCE(visibility_test, a_different_form_tells_nothing_either, "E/visible") {
    show(2, test::only({}));
    const member one = join(host_nqn);
    const bytes too_short(512);
    EXPECT_STATUS(
        run_write(*one.io, io_sqe(nvme::io_opcode::write, {.slba = 0, .blocks = 1}, 2), too_short),
        not_there)
        << "not: its blocks are larger";
}

CONFORMANCE(visibility_test, logs_tell_each_host_of_its_own, "E/visible", "D5/0C", "D5/04",
            "D8/2.00", "D8/2.03") {
    const member one = join(host_nqn), other = join(other_nqn);
    const auto changes = [](host::controller& c) {
        return read_log<nvme::ana_log_header>(c, nvme::lid::ana).change_count.value();
    };
    show(2, only_one());
    EXPECT_EQ(await_events(*other.c), heard{event::namespace_attribute_changed});
    EXPECT_EQ(changed_nsids(*other.c), nsids{2});
    EXPECT_EQ(listed(*other.c, 0x02), nsids{1});
    EXPECT_EQ(ana_groups(*other.c), nsids{1});
    EXPECT_EQ(ana_groups(*one.c), (nsids{1, 2}));
    expect_no_event(*one.c);
    EXPECT_EQ(changed_nsids(*one.c), nsids{}) << "nothing has changed for it";

    const std::uint64_t before = changes(*other.c);
    set_ana(2, core::ana_state::non_optimized);
    EXPECT_EQ(await_events(*one.c), heard{event::ana_changed});
    make(9, only_one());
    EXPECT_EQ(await_events(*one.c), heard{event::namespace_attribute_changed});
    EXPECT_EQ(changed_nsids(*one.c), nsids{9});
    target().must<core::device_status>(
        core::resize_device{.name = "b", .size_bytes = 4u << 20, .allow_shrink = true});
    target().must(core::remove_namespace{.nqn = std::string(subsystem_nqn), .nsid = 9});
    expect_no_event(*other.c);
    EXPECT_EQ(changed_nsids(*other.c), nsids{});
    EXPECT_EQ(changes(*other.c), before) << "of the groups that it sees none has changed";

    make(9, test::only({std::string(other_nqn)}));
    EXPECT_EQ(await_events(*other.c), heard{event::namespace_attribute_changed});
    EXPECT_EQ(changed_nsids(*other.c), nsids{9})
        << "a new namespace of an NSID hides from others anew";
    EXPECT_EQ(listed(*other.c, 0x02), (nsids{1, 9}));
    EXPECT_EQ(listed(*one.c, 0x02), (nsids{1, 2}));

    show(2, {});
    EXPECT_EQ(await_events(*other.c), heard{event::namespace_attribute_changed});
    EXPECT_EQ(changed_nsids(*other.c), nsids{2});
    EXPECT_EQ(ana_groups(*other.c), (nsids{1, 2, 9}));
    bytes block(4096);
    EXPECT_STATUS(read_blocks(*other.io, 0, block, 2, 4096), sc::success);
}

CONFORMANCE(visibility_test, features_are_of_what_is_seen, "E/visible", "D7/05", "D7/82") {
    const member one = join(host_nqn), other = join(other_nqn);
    must(other.c->set_features({.fid = 0x05, .cdw11 = 3}, 2));
    show(2, only_one());
    EXPECT_STATUS(run(other.c->admin(), {.sqe = feature_sqe(nvme::get_features{.fid = 0x05}, 2)}),
                  sc::invalid_field.no_retry());
    EXPECT_STATUS(
        run(other.c->admin(), {.sqe = feature_sqe(nvme::set_features{.fid = 0x05, .cdw11 = 4}, 2)}),
        sc::invalid_field.no_retry());
    EXPECT_STATUS(run(other.c->admin(), {.sqe = feature_sqe(nvme::get_features{.fid = 0x83}, 2)}),
                  sc::invalid_field.no_retry());
    must(other.c->set_features({.fid = 0x05, .cdw11 = 5}, nvme::nsid_broadcast));
    must(other.c->set_features({.fid = 0x82, .cdw11 = nvme::reservation_mask::all},
                               nvme::nsid_broadcast));
    show(2, {});
    EXPECT_EQ(must(other.c->get_features({.fid = 0x05}, 1)), 5u);
    EXPECT_EQ(must(other.c->get_features({.fid = 0x05}, 2)), 0u)
        << "forgotten when it was hidden, and not meant by all";
    EXPECT_EQ(must(other.c->get_features({.fid = 0x82}, 2)), 0u);
    EXPECT_EQ(must(one.c->get_features({.fid = 0x05}, 2)), 0u);
}

CONFORMANCE(visibility_test, reservations_reach_who_sees_them, "E/visible", "D4/0D", "D5/80") {
    const member one = join(host_nqn), other = join(other_nqn);
    const auto send = [](const member& m, nvme::io_opcode opcode, nvme::reservation_command how,
                         std::uint64_t first, std::uint64_t second) {
        const auto keys = test::reservation_keys(first, second);
        return run_write(*m.io, test::reservation_sqe(opcode, how, 2), nvme::wire_bytes(keys))
            .status();
    };
    using nvme::io_opcode;
    ASSERT_EQ(send(one, io_opcode::reservation_register, {}, 0, 11), sc::success);
    ASSERT_EQ(send(other, io_opcode::reservation_register, {}, 0, 22), sc::success);
    ASSERT_EQ(send(other, io_opcode::reservation_acquire, {.type = 1}, 22, 0), sc::success);
    show(2, only_one());
    EXPECT_EQ(await_events(*other.c), heard{event::namespace_attribute_changed});
    EXPECT_EQ(changed_nsids(*other.c), nsids{2});
    EXPECT_EQ(send(other, io_opcode::reservation_release, {.type = 1}, 22, 0), not_there);
    bytes block(4096);
    EXPECT_STATUS(write_blocks(*one.io, 0, block, 2, 4096), sc::reservation_conflict.no_retry())
        << "a host that has gone out of sight holds what it held";
    EXPECT_EQ(send(one, io_opcode::reservation_acquire, {.action = 1, .type = 1}, 11, 22),
              sc::success);
    EXPECT_STATUS(write_blocks(*one.io, 0, block, 2, 4096), sc::success);
    expect_no_event(*other.c);
    EXPECT_EQ(
        read_log<nvme::reservation_notification_log>(*other.c, nvme::lid::reservation_notification)
            .log_page_count.value(),
        0u)
        << "of what it does not see it hears nothing";
}

class held_visibility : public visibility_test {
  protected:
    held_visibility() {
        setup.devices = spy.factory();
        for (core::device_spec& d : setup.spec.devices)
            if (d.name == "b") d.type = "spy";
        setup.limits.transition_timeout_ms = 300;
    }
    testing::spy spy;
};
INSTANTIATE_TEST_SUITE_P(reactors, held_visibility, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

CONFORMANCE(held_visibility, health_is_of_what_is_seen, "E/visible", "D5/02") {
    spy.ail(backend::device_health{.critical_warning = nvme::critical_warning::reliability,
                                   .temperature_kelvin = 350,
                                   .media_errors = 9});
    show(2, only_one());
    const member one = join(host_nqn), other = join(other_nqn);
    const auto ill = read_log<nvme::smart_log>(*one.c, nvme::lid::smart);
    EXPECT_EQ(ill.temperature_kelvin.value(), 350);
    EXPECT_EQ(ill.media_errors.low.value(), 9u);
    const auto well = read_log<nvme::smart_log>(*other.c, nvme::lid::smart);
    EXPECT_EQ(well.critical_warning, 0);
    EXPECT_NE(well.temperature_kelvin.value(), 350);
    EXPECT_EQ(well.media_errors.low.value(), 0u);
}

}  // namespace
}  // namespace fulmar::conformance
