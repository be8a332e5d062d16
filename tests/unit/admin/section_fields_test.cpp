// The options of the daemon by their tables: what is shown can be read again, each field of a
// section changes that section alone, and rules between fields are told with their place.
#include "admin/section_fields.hpp"

#include "admin/status_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>

namespace fulmar::admin {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;

/// No field has its default.
daemon_options other_options() {
    daemon_options out;
    out.admin = {.unix_socket = "/a.sock",
                 .socket_mode = 0600,
                 .tcp = tcp_options{"127.0.0.2", 1, "/token"},
                 .listeners = {{.address = "192.0.2.1",
                                .port = 2,
                                .certificate = "/certificate",
                                .key = "/key",
                                .client_ca = "/ca",
                                .serves = admin_service::metrics}},
                 .client_roles = {{.certificate = "CN=*", .grants = role::operator_}},
                 .tokens = "/tokens",
                 .audit = false};
    out.cores = {.data = 2, .cpus = {3, 5}, .busy_poll_us = 7};
    out.memory = {.pool_mib = 64, .hugepages = hugepage_use::off};
    attach_rule rule{.which = {.address = "0000:0b:*", .serial = "S*", .model = "M?"},
                     .subsystem = "nqn.2026-11.io.fulmar:a",
                     .write_cache = core::write_cache_mode::through};
    rule.use.on_loss = core::loss_policy::hold;
    rule.use.park_ms = 1;
    rule.use.hold_s = 2;
    out.drives = {.allow = std::vector<drive_pattern>{{.model = "M*"}}, .auto_attach = {rule}};
    out.files.allow = std::vector<std::string>{"/srv/*.img"};
    out.log_level = "debug";
    out.state_dir = "/state";
    out.target.discovery_nqn = "nqn.2026-11.io.fulmar:discovery";
    out.target.max_transfer_bytes = 512 * 1024;
    out.target.in_capsule_bytes = 512;
    out.target.max_queue_depth = 3;
    out.target.max_io_queues = 4;
    out.target.max_connections_per_listener = 5;
    for (const auto& one : core::timeout_fields)
        out.target.*std::get<std::uint32_t core::target_options::*>(one.member) += 1;
    return out;
}

TEST(section_fields, what_is_shown_is_read_again) {
    for (const daemon_options& options : {daemon_options{}, other_options()}) {
        const std::string shown = to_json(options, core::target_spec{}).dump(2);
        const config_outcome read = parse_config(shown);
        ASSERT_TRUE(read) << read.error().first("shown").text() << "\n" << shown;
        EXPECT_EQ(read->options, options) << shown;
    }
}

TEST(section_fields, every_field_that_differs_names_its_section) {
    const daemon_options usual;
    const daemon_options other = other_options();
    for_each_section([&](const auto& section) {
        for (const auto& one : section.table) {
            daemon_options changed = usual;
            core::copy(one, section.part(other), section.part(changed));
            const std::string name(section.name.empty() ? one.facts.name : section.name);
            EXPECT_THAT(changed_options(usual, changed), ElementsAre("/" + name))
                << one.facts.name << " has its default in other_options()";
        }
    });
}

TEST(section_fields, every_field_refuses_a_value_of_another_kind) {
    for_each_section([&](const auto& section) {
        for (const auto& one : section.table) {
            ordered_json document = ordered_json::object();
            ordered_json& in = section.name.empty() ? document : document[section.name];
            in[std::string(one.facts.name)] = 1.5;
            const config_outcome read = parse_config(document.dump());
            ASSERT_FALSE(read) << document.dump();
            const problem& found = read.error().all().front();
            const std::string folder = section.name.empty() ? "" : "/" + std::string(section.name);
            EXPECT_EQ(found.pointer, folder + "/" + std::string(one.facts.name));
            EXPECT_FALSE(found.remedy.empty()) << found.pointer;
        }
    });
}

TEST(section_fields, texts_are_bounded) {
    const auto refused = [](const ordered_json& document) {
        const config_outcome read = parse_config(document.dump());
        return read ? std::string() : read.error().first("f").text();
    };
    const std::string long_path(limits::max_path_bytes + 1, 'a');
    EXPECT_THAT(refused({{"state_dir", long_path}}), testing::HasSubstr("at most 4095 bytes"));
    EXPECT_THAT(refused({{"admin", {{"tcp", {{"token_file", long_path}}}}}}),
                testing::HasSubstr("at most 4095 bytes"));
    EXPECT_EQ(refused({{"admin", {{"tcp", {{"token_file", ""}}}}}}), "") << "named tokens do";
}

}  // namespace
}  // namespace fulmar::admin
