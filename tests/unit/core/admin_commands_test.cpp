// Identify, logs, features and events of a controller, through its admin queue.
#include "small_world.hpp"

#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>

#include <gtest/gtest.h>

#include <array>

namespace fulmar::core::test {
namespace {

using nvme::admin_opcode;
using nvme::cns;
using nvme::fid;
using nvme::lid;
namespace sc = nvme::sc;
namespace config = nvme::async_event_config;

class admin_commands : public testing::Test {
  protected:
    reply identify(cns which, std::uint32_t number = 0, std::uint32_t buffer_bytes = 4096) {
        nvme::sqe command = admin(admin_opcode::identify, number);
        nvme::encode_identify(command, {.cns = static_cast<std::uint8_t>(which)});
        return world.call(*queue, command, buffer_bytes);
    }
    reply log(nvme::get_log_page what, std::optional<std::uint32_t> buffer_bytes = {}) {
        nvme::sqe command = admin(admin_opcode::get_log_page, nvme::nsid_broadcast);
        nvme::encode_get_log_page(command, what);
        return world.call(*queue, command,
                          buffer_bytes.value_or(static_cast<std::uint32_t>(what.length_bytes)));
    }
    reply read_log(lid page, std::uint32_t bytes, bool rae = false) {
        return log({.lid = static_cast<std::uint8_t>(page), .rae = rae, .length_bytes = bytes});
    }
    reply set(fid which, std::uint32_t value, std::uint32_t number = 0,
              std::span<const std::byte> data = {}) {
        nvme::sqe command = admin(admin_opcode::set_features, number);
        nvme::encode_set_features(command,
                                  {.fid = static_cast<std::uint8_t>(which), .cdw11 = value});
        return world.call(*queue, command, 0, data);
    }
    reply get(fid which, nvme::feature_select select = nvme::feature_select::current,
              std::uint32_t argument = 0, std::uint32_t number = 0,
              std::uint32_t buffer_bytes = 0) {
        nvme::sqe command = admin(admin_opcode::get_features, number);
        nvme::encode_get_features(command, {.fid = static_cast<std::uint8_t>(which),
                                            .sel = static_cast<std::uint8_t>(select),
                                            .cdw11 = argument});
        return world.call(*queue, command, buffer_bytes);
    }
    std::size_t wait_for_event() { return queue->send(admin(admin_opcode::async_event_request)); }
    /// The event that has come, or nothing.
    std::optional<nvme::async_event> event(std::size_t index) {
        world.turn();
        const auto answer = queue->take(index);
        if (!answer) return std::nullopt;
        EXPECT_TRUE(nvme::is_success(answer->status));
        return nvme::async_event::unpack(answer->dw0);
    }
    void set_ana(std::uint32_t number, ana_state state) {
        world.change(set_ana_state{std::string(subsystem_nqn), number, state});
    }

    small_world world;
    host_queue* queue = &world.connect_admin();
};

void expect_status(const reply& answer, nvme::status wanted, int line) {
    EXPECT_EQ(answer.status, wanted) << nvme::describe(answer.status) << " instead of "
                                     << nvme::describe(wanted) << ", line " << line;
}
#define EXPECT_STATUS(answer, wanted) expect_status(answer, wanted, __LINE__)

// --- Identify ----------------------------------------------------------------------------------

TEST_F(admin_commands, identify_names_this_controller) {
    const reply answer = identify(cns::controller);
    ASSERT_TRUE(nvme::is_success(answer.status));
    EXPECT_EQ(answer.as<nvme::identify_controller>().cntlid.value(), world.controller_number());
}

TEST_F(admin_commands, identify_wants_exactly_one_page) {
    for (const std::uint32_t bytes : {0u, 4u, 4092u, 4100u, 8192u})
        EXPECT_STATUS(identify(cns::controller, 0, bytes), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(identify(cns::user_data_format_namespace), sc::invalid_field.no_retry());
}

TEST_F(admin_commands, identify_lists_what_was_configured) {
    const auto list = identify(cns::active_namespaces).as<nvme::namespace_list>();
    EXPECT_EQ(list.nsid[0].value(), 1u);
    EXPECT_EQ(list.nsid[1].value(), 2u);
    EXPECT_EQ(list.nsid[2].value(), 0u);
    EXPECT_EQ(identify(cns::namespace_data, 1).as<nvme::identify_namespace>().nsze.value(), 2048u);
}

// --- logs --------------------------------------------------------------------------------------

TEST_F(admin_commands, log_length_and_buffer_must_agree) {
    const nvme::get_log_page smart{.lid = 2, .length_bytes = 512};
    EXPECT_STATUS(log(smart, 508), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(log(smart, 516), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(log(smart, 0), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(log({.lid = 2, .length_bytes = 2u << 20}, 4), sc::invalid_field.no_retry());
    EXPECT_STATUS(log({.lid = 0x77, .length_bytes = 4}), sc::invalid_log_page.no_retry());
}

TEST_F(admin_commands, log_pages_can_be_read_short_long_and_from_the_middle) {
    const reply whole = read_log(lid::smart, 512);
    const reply longer = read_log(lid::smart, 1024);
    const reply middle = log({.lid = 2, .length_bytes = 64, .offset_bytes = 192});
    EXPECT_EQ(std::memcmp(whole.data.data() + 192, middle.data.data(), 64), 0);
    EXPECT_EQ(std::memcmp(whole.data.data(), longer.data.data(), 512), 0);
    for (std::size_t i = 512; i < 1024; ++i) EXPECT_EQ(longer.data[i], std::byte{0});
    EXPECT_EQ(read_log(lid::smart, 4).data.size(), 4u);
}

TEST_F(admin_commands, smart_counts_errors_and_hours) {
    EXPECT_EQ(read_log(lid::smart, 512).as<nvme::smart_log>().error_log_entries.low.value(), 0u);
    identify(cns::uuid_list);
    world.advance(std::chrono::hours(3));
    world.turn();
    const auto smart = read_log(lid::smart, 512).as<nvme::smart_log>();
    EXPECT_EQ(smart.error_log_entries.low.value(), 1u);
    EXPECT_EQ(smart.power_on_hours.low.value(), 3u);
    EXPECT_EQ(smart.temperature_kelvin.value(), 300);
}

TEST_F(admin_commands, error_log_has_the_newest_first) {
    identify(cns::uuid_list);
    log({.lid = 0x77, .length_bytes = 4});
    const reply page = read_log(lid::error_information, 4096);
    const auto newest = page.as<nvme::error_log_entry>();
    EXPECT_EQ(newest.error_count.value(), 2u);
    EXPECT_TRUE(nvme::status::from_field(newest.status_field.value()).is(sc::invalid_log_page));
    const auto third = nvme::read_wire<nvme::error_log_entry>(std::span(page.data).subspan(128));
    EXPECT_EQ(third->error_count.value(), 0u);
    const reply second = log({.lid = 1, .length_bytes = 64, .offset_bytes = 64});
    EXPECT_EQ(second.as<nvme::error_log_entry>().error_count.value(), 1u);
}

// Linux reads as much as there could ever be.
TEST_F(admin_commands, ana_log_can_be_read_at_its_largest) {
    const std::uint32_t largest = 16 + limits::default_namespaces * (32 + 4);
    const reply page = read_log(lid::ana, largest);
    ASSERT_TRUE(nvme::is_success(page.status));
    EXPECT_EQ(page.as<nvme::ana_log_header>().groups.value(), 2u);
    for (std::size_t i = 16 + 2 * 36; i < page.data.size(); ++i)
        ASSERT_EQ(page.data[i], std::byte{0});
    EXPECT_STATUS(log({.lid = 0x0c, .length_bytes = 4, .offset_bytes = 16 + 2 * 36 + 4}),
                  sc::invalid_field.no_retry());
}

// --- features ----------------------------------------------------------------------------------

TEST_F(admin_commands, queues_are_granted_up_to_the_limit_and_only_before_there_are_any) {
    const auto pack = [](std::uint32_t n) { return nvme::queue_counts{n, n}.pack(); };
    EXPECT_EQ(set(fid::number_of_queues, pack(4)).dw0, pack(4));
    EXPECT_EQ(get(fid::number_of_queues).dw0, pack(4));
    EXPECT_EQ(set(fid::number_of_queues, pack(5000)).dw0, pack(limits::default_io_queues));
    EXPECT_STATUS(set(fid::number_of_queues, 0xffff'0001), sc::invalid_field.no_retry());
    EXPECT_STATUS(set(fid::number_of_queues, 0x0001'ffff), sc::invalid_field.no_retry());

    host_queue& io = world.new_queue();
    ASSERT_TRUE(
        nvme::is_success(world.connect(io, subsystem_nqn, 1, world.controller_number()).status));
    EXPECT_STATUS(set(fid::number_of_queues, pack(4)), sc::command_sequence_error.no_retry());
}

TEST_F(admin_commands, select_gives_current_default_saved_and_capabilities) {
    using nvme::feature_select;
    ASSERT_TRUE(nvme::is_success(set(fid::write_atomicity, 1).status));
    EXPECT_EQ(get(fid::write_atomicity).dw0, 1u);
    EXPECT_EQ(get(fid::write_atomicity, feature_select::default_value).dw0, 0u);
    EXPECT_EQ(get(fid::write_atomicity, feature_select::saved).dw0, 0u);
    EXPECT_EQ(get(fid::write_atomicity, feature_select::capabilities).dw0,
              nvme::feature_capability::changeable);
    EXPECT_STATUS(get(fid::write_atomicity, static_cast<feature_select>(4)),
                  sc::invalid_field.no_retry());
}

TEST_F(admin_commands, nothing_can_be_saved_and_unknown_features_are_refused) {
    nvme::sqe command = admin(admin_opcode::set_features);
    nvme::encode_set_features(command, {.fid = 0x0a, .save = true, .cdw11 = 1});
    EXPECT_STATUS(world.call(*queue, command), sc::feature_not_saveable.no_retry());
    EXPECT_STATUS(set(fid::timestamp, 0), sc::invalid_field.no_retry());
    EXPECT_STATUS(get(fid::interrupt_coalescing), sc::invalid_field.no_retry());
}

TEST_F(admin_commands, features_know_whether_they_belong_to_a_namespace) {
    EXPECT_STATUS(set(fid::arbitration, 0, 1), sc::feature_not_namespace_specific.no_retry());
    EXPECT_STATUS(set(fid::arbitration, 0, 5000), sc::invalid_namespace_or_format.no_retry());
    EXPECT_STATUS(set(fid::arbitration, 0, nvme::nsid_broadcast), sc::success);
    EXPECT_STATUS(set(fid::error_recovery, 1, 0), sc::invalid_namespace_or_format.no_retry());
    EXPECT_STATUS(set(fid::error_recovery, 1, 3), sc::invalid_field.no_retry());
    EXPECT_STATUS(set(fid::error_recovery, 7, 1), sc::success);
    const auto current = nvme::feature_select::current;
    EXPECT_EQ(get(fid::error_recovery, current, 0, 1).dw0, 7u);
    EXPECT_EQ(get(fid::error_recovery, current, 0, 2).dw0, 0u);
    EXPECT_STATUS(set(fid::error_recovery, 9, nvme::nsid_broadcast), sc::success);
    EXPECT_EQ(get(fid::error_recovery, current, 0, 2).dw0, 9u);
    EXPECT_STATUS(get(fid::error_recovery, current, 0, nvme::nsid_broadcast),
                  sc::invalid_namespace_or_format.no_retry());
    EXPECT_STATUS(set(fid::error_recovery, nvme::error_recovery::deallocated_error, 1),
                  sc::invalid_field.no_retry());
}

TEST_F(admin_commands, host_behavior_turns_retry_delays_on) {
    nvme::host_behavior_support wanted{};
    wanted.acre = 1;
    const auto whole = nvme::wire_bytes(wanted);
    EXPECT_STATUS(set(fid::host_behavior, 0, 0, whole), sc::success);
    const reply now = get(fid::host_behavior, nvme::feature_select::current, 0, 0, 512);
    EXPECT_EQ(now.as<nvme::host_behavior_support>().acre, 1);
    const reply by_default =
        get(fid::host_behavior, nvme::feature_select::default_value, 0, 0, 512);
    EXPECT_EQ(by_default.as<nvme::host_behavior_support>().acre, 0);
    EXPECT_STATUS(set(fid::host_behavior, 0, 0, whole.first(508)),
                  sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(set(fid::host_behavior, 0), sc::data_sgl_length_invalid.no_retry());
    wanted.acre = 2;
    EXPECT_STATUS(set(fid::host_behavior, 0, 0, nvme::wire_bytes(wanted)),
                  sc::invalid_field.no_retry());
}

TEST_F(admin_commands, the_host_identifier_can_be_read_and_never_set) {
    const auto current = nvme::feature_select::current;
    const reply answer = get(fid::host_identifier, current, nvme::host_identifier_extended, 0, 16);
    ASSERT_EQ(answer.data.size(), 16u);
    EXPECT_EQ(answer.data[0], std::byte{0x11});
    EXPECT_STATUS(get(fid::host_identifier, current, 0, 0, 16), sc::invalid_field.no_retry());
    EXPECT_STATUS(get(fid::host_identifier, current, 1, 0, 8),
                  sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(set(fid::host_identifier, 1), sc::command_sequence_error.no_retry());
}

// A buffer that nothing is written to must not carry what its memory held before.
TEST_F(admin_commands, a_needless_buffer_gets_no_data) {
    const auto current = nvme::feature_select::current;
    const reply answer = get(fid::arbitration, current, 0, 0, 4096);
    EXPECT_TRUE(nvme::is_success(answer.status));
    EXPECT_TRUE(answer.data.empty());
    const reply capabilities =
        get(fid::host_behavior, nvme::feature_select::capabilities, 0, 0, 512);
    EXPECT_TRUE(capabilities.data.empty());
}

TEST_F(admin_commands, only_power_state_0_and_the_composite_sensor_exist) {
    EXPECT_STATUS(set(fid::power_management, 1), sc::invalid_field.no_retry());
    EXPECT_STATUS(set(fid::power_management, 2u << 5), sc::success);
    EXPECT_STATUS(set(fid::power_management, 7u << 5), sc::invalid_field.no_retry());
    const auto temperature = [](std::uint16_t kelvin, std::uint8_t sensor) {
        return nvme::temperature_threshold{.kelvin = kelvin, .sensor = sensor}.pack();
    };
    EXPECT_STATUS(set(fid::temperature_threshold, temperature(350, 0)), sc::success);
    EXPECT_STATUS(set(fid::temperature_threshold, temperature(350, 1)),
                  sc::invalid_field.no_retry());
    EXPECT_STATUS(set(fid::temperature_threshold, 2u << 20), sc::invalid_field.no_retry());
    EXPECT_EQ(get(fid::temperature_threshold).dw0, 350u);
    EXPECT_EQ(get(fid::temperature_threshold, nvme::feature_select::default_value).dw0, 343u);
}

TEST_F(admin_commands, a_reset_restores_every_default) {
    set(fid::write_atomicity, 1);
    set(fid::async_event_configuration, config::ana_change);
    set(fid::volatile_write_cache, 0);
    EXPECT_EQ(get(fid::volatile_write_cache).dw0, 0u);
    world.configure(*queue, false);
    world.configure(*queue, true);
    EXPECT_EQ(get(fid::write_atomicity).dw0, 0u);
    EXPECT_EQ(get(fid::async_event_configuration).dw0, 0u);
    EXPECT_EQ(get(fid::volatile_write_cache).dw0, 1u);
}

TEST_F(admin_commands, a_shorter_keep_alive_counts_from_now) {
    host_queue& patient = world.connect_admin(subsystem_nqn, 100'000);
    queue = &patient;
    EXPECT_EQ(get(fid::keep_alive_timer).dw0, 100'000u);
    EXPECT_STATUS(set(fid::keep_alive_timer, 1'000), sc::success);
    EXPECT_EQ(get(fid::keep_alive_timer).dw0, 1'000u);
    for (int i = 0; i < 60; ++i) {  // in steps that do not look like a stalled reactor
        world.advance(std::chrono::milliseconds(40));
        world.turn();
    }
    EXPECT_TRUE(patient.retired());
}

// --- events ------------------------------------------------------------------------------------

TEST_F(admin_commands, events_wait_to_be_enabled_and_then_come_once_until_the_log_is_read) {
    const std::size_t first = wait_for_event();
    set_ana(1, ana_state::inaccessible);
    EXPECT_EQ(event(first), std::nullopt) << "not enabled yet";
    EXPECT_STATUS(set(fid::async_event_configuration, config::ana_change), sc::success);
    EXPECT_EQ(event(first), nvme::event::ana_changed) << "what happened before is not lost";

    const std::size_t second = wait_for_event();
    set_ana(1, ana_state::optimized);
    EXPECT_EQ(event(second), std::nullopt) << "the log has not been read";
    read_log(lid::ana, 16, true);
    set_ana(1, ana_state::non_optimized);
    EXPECT_EQ(event(second), std::nullopt) << "reading with RAE keeps it masked";
    read_log(lid::ana, 16);
    EXPECT_EQ(event(second), std::nullopt) << "the log has told it all";
    set_ana(1, ana_state::optimized);
    EXPECT_EQ(event(second), nvme::event::ana_changed);
}

TEST_F(admin_commands, events_wait_for_a_request) {
    set(fid::async_event_configuration, config::namespace_attribute);
    world.change(remove_namespace{std::string(subsystem_nqn), 2});
    EXPECT_EQ(event(wait_for_event()), nvme::event::namespace_attribute_changed);
    const auto changed =
        read_log(lid::changed_namespaces, 4096, true).as<nvme::changed_namespace_log>();
    EXPECT_EQ(changed.nsid[0].value(), 2u);
    EXPECT_EQ(changed.nsid[1].value(), 0u);
    const auto again = read_log(lid::changed_namespaces, 4096).as<nvme::changed_namespace_log>();
    EXPECT_EQ(again.nsid[0].value(), 2u) << "RAE kept it";
    const auto empty = read_log(lid::changed_namespaces, 4096).as<nvme::changed_namespace_log>();
    EXPECT_EQ(empty.nsid[0].value(), 0u);
}

TEST_F(admin_commands, different_events_do_not_mask_each_other) {
    set(fid::async_event_configuration, config::namespace_attribute | config::ana_change);
    set_ana(1, ana_state::inaccessible);
    EXPECT_EQ(event(wait_for_event()), nvme::event::ana_changed);
    world.change(remove_namespace{std::string(subsystem_nqn), 2});
    EXPECT_EQ(event(wait_for_event()), nvme::event::namespace_attribute_changed);
}

TEST_F(admin_commands, one_request_too_many_is_refused) {
    for (std::uint32_t i = 0; i < limits::max_async_events; ++i) wait_for_event();
    EXPECT_STATUS(world.call(*queue, admin(admin_opcode::async_event_request)),
                  sc::async_event_limit_exceeded.no_retry());
}

TEST_F(admin_commands, a_reset_ends_waiting_requests_and_forgets_events) {
    set(fid::async_event_configuration, config::ana_change);
    set_ana(1, ana_state::inaccessible);
    EXPECT_TRUE(event(wait_for_event()).has_value());
    const std::array waiting{wait_for_event(), wait_for_event()};
    world.configure(*queue, false);
    for (const std::size_t index : waiting) {
        const auto answer = queue->take(index);
        ASSERT_TRUE(answer.has_value());
        EXPECT_STATUS(*answer, sc::aborted_sq_deletion);
    }
    world.configure(*queue, true);
    set(fid::async_event_configuration, config::ana_change);
    const std::size_t next = wait_for_event();
    EXPECT_EQ(event(next), std::nullopt);
    set_ana(1, ana_state::optimized);
    EXPECT_EQ(event(next), nvme::event::ana_changed) << "no mask is left over";
}

TEST_F(admin_commands, an_abort_ends_a_waiting_event_request) {
    const std::size_t first = wait_for_event();
    const std::size_t second = wait_for_event();
    nvme::sqe command = admin(admin_opcode::abort);
    command.cdw10 = static_cast<std::uint32_t>(first) << 16;
    EXPECT_EQ(world.call(*queue, command).dw0, 0u);
    EXPECT_STATUS(queue->take(first).value_or(reply{}), sc::aborted_by_request);
    set(fid::async_event_configuration, config::ana_change);
    set_ana(1, ana_state::inaccessible);
    EXPECT_EQ(event(second), nvme::event::ana_changed);
}

TEST_F(admin_commands, only_events_that_exist_can_be_enabled) {
    EXPECT_STATUS(set(fid::async_event_configuration, config::firmware_activation),
                  sc::invalid_field.no_retry());
    EXPECT_STATUS(set(fid::async_event_configuration, config::discovery_log_change),
                  sc::invalid_field.no_retry());
    EXPECT_STATUS(set(fid::async_event_configuration, 0x3f), sc::success);
}

TEST_F(admin_commands, a_threshold_below_the_temperature_is_an_event) {
    set(fid::async_event_configuration, config::smart_temperature);
    const std::size_t request = wait_for_event();
    set(fid::temperature_threshold, 290);
    EXPECT_EQ(event(request), nvme::event::temperature);
    const auto smart = read_log(lid::smart, 512).as<nvme::smart_log>();
    EXPECT_EQ(smart.critical_warning, nvme::critical_warning::temperature);
}

// --- discovery controllers ---------------------------------------------------------------------

class discovery_commands : public admin_commands {
  protected:
    discovery_commands() { queue = &world.connect_admin(nvme::discovery_nqn); }
};

TEST_F(discovery_commands, serve_little_and_refuse_the_rest) {
    EXPECT_TRUE(nvme::is_success(identify(cns::controller).status));
    EXPECT_STATUS(identify(cns::active_namespaces), sc::invalid_field.no_retry());
    EXPECT_STATUS(read_log(lid::smart, 512), sc::invalid_log_page.no_retry());
    EXPECT_TRUE(nvme::is_success(read_log(lid::supported_pages, 1024).status));
    EXPECT_TRUE(nvme::is_success(read_log(lid::discovery, 1024).status));
    EXPECT_STATUS(get(fid::number_of_queues), sc::invalid_field.no_retry());
    EXPECT_TRUE(nvme::is_success(get(fid::keep_alive_timer).status));
}

// No persistent connection was asked for: two minutes of silence are the end of it (protocol list
// D10, Base 2.0, section 3.1.2.3.2). In steps that do not look like a stalled reactor.
TEST_F(discovery_commands, end_after_two_minutes_of_silence_without_a_keep_alive_time) {
    const auto pass = [&](std::chrono::seconds time) {
        for (std::chrono::seconds past{0}; past < time; past += std::chrono::seconds(1)) {
            world.advance(std::chrono::seconds(1));
            world.turn();
        }
    };
    host_queue& without = *queue;
    host_queue& io = world.connect_admin();
    host_queue& persistent = world.connect_admin(nvme::discovery_nqn, 300'000);
    for (int i = 0; i < 3; ++i) {  // any command is a sign of life
        pass(std::chrono::seconds(115));
        ASSERT_FALSE(without.retired());
        EXPECT_EQ(get(fid::keep_alive_timer).dw0, 0u);
    }
    pass(std::chrono::seconds(115));
    EXPECT_FALSE(without.retired());
    pass(std::chrono::seconds(8));
    EXPECT_TRUE(without.retired());
    EXPECT_FALSE(io.retired()) << "an I/O controller without a keep-alive time stays";
    EXPECT_TRUE(persistent.retired()) << "it had 300 s";
    EXPECT_FALSE(world.connect_admin(nvme::discovery_nqn).retired());
}

TEST_F(discovery_commands, tell_of_changes) {
    EXPECT_STATUS(set(fid::async_event_configuration, config::discovery_log_change), sc::success);
    read_log(lid::discovery, 1024);
    const std::size_t request = wait_for_event();
    EXPECT_EQ(event(request), std::nullopt);
    subsystem_spec more;
    more.nqn = "nqn.2024-01.test:more";
    more.allow_any_host = true;
    world.change(create_subsystem{more});
    EXPECT_EQ(event(request), nvme::event::discovery_log_changed);
    EXPECT_STATUS(set(fid::async_event_configuration, config::ana_change),
                  sc::invalid_field.no_retry());
}

}  // namespace
}  // namespace fulmar::core::test
