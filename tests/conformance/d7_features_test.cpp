// D7: features.
#include "suite.hpp"

#include <cstring>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(d7_features);

nvme::status set_status(host::controller& c, std::uint8_t fid, std::uint32_t value,
                        std::uint32_t nsid = 0) {
    return run(c.admin(),
               {.sqe = feature_sqe(nvme::set_features{.fid = fid, .cdw11 = value}, nsid)})
        .status();
}

nvme::status get_status(host::controller& c, const nvme::get_features& what,
                        std::uint32_t nsid = 0) {
    return run(c.admin(), {.sqe = feature_sqe(what, nsid)}).status();
}

std::uint32_t get(host::controller& c, std::uint8_t fid, std::uint32_t nsid = 0,
                  std::uint32_t cdw11 = 0, std::uint8_t sel = 0) {
    return must(c.get_features({.fid = fid, .sel = sel, .cdw11 = cdw11}, nsid));
}

/// Set, read back, default again after a reset.
void expect_kept(host::controller& c, std::uint8_t fid, std::uint32_t value,
                 std::uint32_t nsid = 0) {
    const std::uint32_t initial = get(c, fid, nsid);
    EXPECT_NE(initial, value);
    EXPECT_EQ(set_status(c, fid, value, nsid), sc::success);
    EXPECT_EQ(get(c, fid, nsid), value);
    EXPECT_EQ(get(c, fid, nsid, 0, 1), initial) << "the default";
    must(c.disable());
    must(c.enable());
    EXPECT_EQ(get(c, fid, nsid), initial) << "a reset takes the default";
}

CONFORMANCE(d7_features, arbitration, "D7/01") { expect_kept(*connect(), 0x01, 0x0102'0305); }

CONFORMANCE(d7_features, power_management, "D7/02") {
    const auto c = connect();
    expect_kept(*c, 0x02, 0x20);
    EXPECT_EQ(set_status(*c, 0x02, 1), sc::invalid_field.no_retry()) << "one power state";
    EXPECT_EQ(set_status(*c, 0x02, 7u << 5), sc::invalid_field.no_retry()) << "reserved workload";
}

CONFORMANCE(d7_features, temperature_threshold, "D7/04") {
    const auto c = connect();
    expect_kept(*c, 0x04, 360);
    const nvme::temperature_threshold under{.kelvin = 250, .under = true};
    EXPECT_EQ(set_status(*c, 0x04, under.pack()), sc::success);
    EXPECT_EQ(get(*c, 0x04, 0, under.pack()) & 0xffff, 250u);
    EXPECT_EQ(set_status(*c, 0x04, 3u << 20), sc::invalid_field.no_retry());
    EXPECT_EQ(set_status(*c, 0x04, 3u << 16), sc::invalid_field.no_retry()) << "no third sensor";
}

CONFORMANCE(d7_features, error_recovery, "D7/05") {
    const auto c = connect();
    expect_kept(*c, 0x05, 10, 1);
    EXPECT_EQ(set_status(*c, 0x05, 20, nvme::nsid_broadcast), sc::success);
    EXPECT_EQ(get(*c, 0x05, 1), 20u);
    EXPECT_EQ(get(*c, 0x05, 2), 20u);
    EXPECT_EQ(set_status(*c, 0x05, 1u << 16, 1), sc::invalid_field.no_retry()) << "DULBE";
    EXPECT_EQ(get_status(*c, {.fid = 0x05}, 3), sc::invalid_field.no_retry()) << "inactive";
    EXPECT_EQ(get_status(*c, {.fid = 0x05}, 0), sc::invalid_namespace_or_format.no_retry());
    EXPECT_EQ(get_status(*c, {.fid = 0x05}, 0xffff'fffe),
              sc::invalid_namespace_or_format.no_retry());
}

CONFORMANCE(d7_features, volatile_write_cache, "D7/06") {
    const auto c = connect();
    EXPECT_EQ(get(*c, 0x06), 1u);
    expect_kept(*c, 0x06, 0);
}

CONFORMANCE(d7_features, number_of_queues, "D7/07") {
    const auto c = connect();
    const auto ask = [&](std::uint32_t sq, std::uint32_t cq) {
        return nvme::queue_counts::unpack(must(c->set_features(
            {.fid = 0x07,
             .cdw11 = nvme::queue_counts{.submission = sq, .completion = cq}.pack()})));
    };
    EXPECT_EQ(ask(4, 4), (nvme::queue_counts{.submission = 4, .completion = 4}));
    EXPECT_EQ(ask(4, 2), (nvme::queue_counts{.submission = 2, .completion = 2}));
    const std::uint32_t most = setup.limits.max_io_queues;
    EXPECT_EQ(ask(1000, 1000), (nvme::queue_counts{.submission = most, .completion = most}));
    EXPECT_EQ(set_status(*c, 0x07, 0xffff'0000), sc::invalid_field.no_retry());
    EXPECT_EQ(set_status(*c, 0x07, 0x0000'ffff), sc::invalid_field.no_retry());
    ask(3, 3);
    EXPECT_EQ(nvme::queue_counts::unpack(get(*c, 0x07)).submission, 3u);
    must(c->open_io_queue(1, 4));
    EXPECT_EQ(set_status(*c, 0x07, 0), sc::command_sequence_error.no_retry()) << "queues exist";
}

CONFORMANCE(d7_features, write_atomicity, "D7/0A") { expect_kept(*connect(), 0x0a, 1); }

CONFORMANCE(d7_features, async_event_configuration, "D7/0B") {
    const auto c = connect();
    namespace bit = nvme::async_event_config;
    expect_kept(*c, 0x0b, bit::namespace_attribute | bit::ana_change | bit::smart_spare);
    const auto discovery = connect_discovery(30'000);
    expect_kept(*discovery, 0x0b, bit::discovery_log_change);
}

CONFORMANCE(d7_features, events_that_are_not_claimed_cannot_be_enabled, "D7/0B", "D8/2.other") {
    const auto c = connect();
    const std::uint32_t claimed = c->identity().oaes.value();
    for (unsigned bit = 8; bit < 32; ++bit) {
        const std::uint32_t value = 1u << bit;
        EXPECT_EQ(set_status(*c, 0x0b, value),
                  (claimed & value) != 0 ? sc::success : sc::invalid_field.no_retry())
            << bit;
    }
    const auto discovery = connect_discovery(30'000);
    EXPECT_EQ(set_status(*discovery, 0x0b, nvme::async_event_config::namespace_attribute),
              sc::invalid_field.no_retry());
}

CONFORMANCE(d7_features, keep_alive_timer, "D7/0F") {
    host::controller_options options = host_options();
    options.keep_alive_ms = 40'000;
    const auto c = connect(options);
    EXPECT_EQ(get(*c, 0x0f), 40'000u);
    EXPECT_EQ(set_status(*c, 0x0f, 50'000), sc::success);
    EXPECT_EQ(get(*c, 0x0f), 50'000u);
    const auto discovery = connect_discovery(30'000);
    EXPECT_EQ(get(*discovery, 0x0f), 30'000u);
    EXPECT_EQ(set_status(*discovery, 0x0f, 50'000), sc::success);
}

CONFORMANCE(d7_features, host_behavior_support, "D7/16") {
    const auto c = connect();
    const auto behavior = [&] {
        bytes data(sizeof(nvme::host_behavior_support));
        must(c->get_features({.fid = 0x16}, 0, data));
        return *nvme::read_wire<nvme::host_behavior_support>(data);
    };
    EXPECT_EQ(behavior().acre, 0);
    nvme::host_behavior_support wanted{};
    wanted.acre = 1;
    must(c->set_features({.fid = 0x16}, 0, nvme::writable_wire_bytes(wanted)));
    EXPECT_EQ(behavior().acre, 1);
    wanted.acre = 2;
    const nvme::sqe set = feature_sqe(nvme::set_features{.fid = 0x16});
    EXPECT_STATUS(run_write(c->admin(), set, nvme::wire_bytes(wanted)),
                  sc::invalid_field.no_retry());
    EXPECT_STATUS(run_write(c->admin(), set, nvme::wire_bytes(wanted), false),
                  sc::invalid_field.no_retry());
    EXPECT_STATUS(run_write(c->admin(), set, pattern(256)), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(run(c->admin(), {.sqe = set}), sc::data_sgl_length_invalid.no_retry());
    EXPECT_EQ(behavior().acre, 1);
    must(c->disable());
    must(c->enable());
    EXPECT_EQ(behavior().acre, 0);
}

CONFORMANCE(d7_features, host_identifier, "D7/81") {
    const auto c = connect();
    bytes data(16);
    must(c->get_features({.fid = 0x81, .cdw11 = nvme::host_identifier_extended}, 0, data));
    const nvme::uuid id = host_id();
    EXPECT_EQ(std::memcmp(data.data(), id.bytes.data(), data.size()), 0);
    EXPECT_EQ(get_status(*c, {.fid = 0x81}), sc::invalid_field.no_retry()) << "64 bits are too few";
    const nvme::sqe set = feature_sqe(nvme::set_features{.fid = 0x81, .cdw11 = 1});
    EXPECT_STATUS(run_write(c->admin(), set, data), sc::command_sequence_error.no_retry());
}

CONFORMANCE(d7_features, what_is_not_there, "D7/08", "D7/0E", "D7/17", "D7/7D", "D3/unknown") {
    const auto c = connect();
    for (const unsigned fid :
         {0x00u, 0x03u, 0x08u, 0x09u, 0x0cu, 0x0du, 0x0eu, 0x10u, 0x11u, 0x12u, 0x13u, 0x14u, 0x15u,
          0x17u, 0x18u, 0x19u, 0x1au, 0x1du, 0x1eu, 0x7du, 0x7eu, 0x7fu, 0x80u, 0xc0u, 0xffu}) {
        const auto raw = static_cast<std::uint8_t>(fid);
        EXPECT_EQ(get_status(*c, {.fid = raw}), sc::invalid_field.no_retry()) << fid;
        EXPECT_EQ(set_status(*c, raw, 0), sc::invalid_field.no_retry()) << fid;
    }
    const auto discovery = connect_discovery(30'000);
    for (const std::uint8_t fid : std::initializer_list<std::uint8_t>{0x01, 0x02, 0x04, 0x05, 0x06,
                                                                      0x07, 0x0a, 0x16, 0x81}) {
        EXPECT_EQ(get_status(*discovery, {.fid = fid}), sc::invalid_field.no_retry());
        EXPECT_EQ(set_status(*discovery, fid, 0), sc::invalid_field.no_retry());
    }
}

CONFORMANCE(d7_features, selections, "D7/sel") {
    const auto c = connect();
    namespace cap = nvme::feature_capability;
    EXPECT_EQ(get(*c, 0x01, 0, 0, 3), cap::changeable);
    EXPECT_EQ(get(*c, 0x05, 1, 0, 3), cap::changeable | cap::namespace_specific);
    EXPECT_EQ(get(*c, 0x81, 0, 1, 3), 0u);
    must(c->set_features({.fid = 0x01, .cdw11 = 0x05}));
    EXPECT_EQ(get(*c, 0x01, 0, 0, 0), 5u);
    EXPECT_EQ(get(*c, 0x01, 0, 0, 1), 0u);
    EXPECT_EQ(get(*c, 0x01, 0, 0, 2), 0u) << "nothing is saved: the default";
    for (const std::uint8_t sel : std::initializer_list<std::uint8_t>{4, 5, 7})
        EXPECT_EQ(get_status(*c, {.fid = 0x01, .sel = sel}), sc::invalid_field.no_retry());
    const nvme::sqe save = feature_sqe(nvme::set_features{.fid = 0x01, .save = true, .cdw11 = 1});
    EXPECT_STATUS(run(c->admin(), {.sqe = save}), sc::feature_not_saveable.no_retry());
    EXPECT_EQ(set_status(*c, 0x01, 1, 1), sc::feature_not_namespace_specific.no_retry());
    EXPECT_EQ(set_status(*c, 0x01, 1, 0xffff'fffe), sc::invalid_namespace_or_format.no_retry());
}

}  // namespace
}  // namespace fulmar::conformance
