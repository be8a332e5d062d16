// Drives that nobody has configured: which may be taken, and what becomes of those that a rule
// wants. sysfs is a tree of the test's own, the drive is the fake controller, and so is the target.
#include "drive_adoption.hpp"

#include "support/fake_drive.hpp"
#include "support/io_runner.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fulmar::drives {
namespace {

namespace fs = std::filesystem;
using admin::attach_rule;
using admin::drive_options;
using admin::drive_pattern;

vfio::pci_address place(const char* text) { return vfio::parse_pci_address(text).value(); }

TEST(drive_rules, without_a_list_every_drive_is_allowed) {
    const drive_rules rules({});
    EXPECT_TRUE(rules.allows_place(place("0000:0b:00.0")));
    EXPECT_TRUE(rules.allows(place("0000:0b:00.0"), "S1", "Any"));
    EXPECT_EQ(rules.rule_for(place("0000:0b:00.0"), "S1", "Any"), nullptr);
}

TEST(drive_rules, an_empty_list_allows_none) {
    const drive_rules rules({.allow = std::vector<drive_pattern>{}});
    EXPECT_FALSE(rules.allows_place(place("0000:0b:00.0")));
}

TEST(drive_rules, patterns_are_those_of_a_shell_and_all_of_an_entry_must_fit) {
    const drive_rules rules(
        {.allow = {{{.address = "0000:0[bc]:*", .model = "ACME *"}, {.serial = "SPARE?"}}}});
    EXPECT_TRUE(rules.allows(place("0000:0b:00.0"), "X", "ACME 1"));
    EXPECT_FALSE(rules.allows(place("0000:0b:00.0"), "X", "Other"));
    EXPECT_FALSE(rules.allows(place("0000:0d:00.0"), "X", "ACME 1"));
    EXPECT_TRUE(rules.allows(place("0000:0d:00.0"), "SPARE1", "Other"));
    EXPECT_FALSE(rules.allows(place("0000:0d:00.0"), "SPARE10", "Other"));
    EXPECT_TRUE(rules.allows_place(place("0000:0d:00.0"))) << "its serial number is not known yet";
}

TEST(drive_rules, the_first_rule_that_nothing_speaks_against_is_taken) {
    const drive_rules rules({.auto_attach = {{.which = {.serial = "A*"}, .subsystem = "first"},
                                             {.which = {.address = "*"}, .subsystem = "second"}}});
    EXPECT_EQ(rules.rule_for(place("0000:0b:00.0"), "A1", "M")->subsystem, "first");
    EXPECT_EQ(rules.rule_for(place("0000:0b:00.0"), "B1", "M")->subsystem, "second");
    EXPECT_EQ(rules.rule_for(place("0000:0b:00.0"), {}, {})->subsystem, "first");
}

TEST(drive_rules, no_rule_takes_what_is_not_allowed) {
    const drive_rules rules(
        {.allow = {{{.address = "0000:0c:*"}}}, .auto_attach = {{.which = {.address = "*"}}}});
    EXPECT_EQ(rules.rule_for(place("0000:0b:00.0"), {}, {}), nullptr);
    EXPECT_NE(rules.rule_for(place("0000:0c:00.0"), {}, {}), nullptr);
}

/// Makes and deletes devices, and remembers everything else.
struct small_target final : core::control_port {
    small_target(backend::pcie_environment& with) : environment(with) {}
    void submit(core::control_request& request) noexcept override { requests.push_back(&request); }
    /// What has come since the last time.
    void answer_all() {
        const auto now = std::exchange(requests, {});
        for (core::control_request* request : now) request->finish(run(*request));
    }
    result<core::control_answer> run(core::control_request& request) {
        const auto& what = std::get<core::change>(request.what);
        if (const auto* make = std::get_if<core::create_device>(&what)) {
            auto made = backend::make_pcie_device(
                {.name = make->spec.name, .address = place(make->spec.address.c_str())},
                environment);
            if (!made) return tl::unexpected(made.error());
            device = std::move(*made);
        } else if (std::holds_alternative<core::delete_device>(what)) {
            device.reset();
            ++deleted;
        } else if (const auto* add = std::get_if<core::add_namespace>(&what)) {
            if (add->nqn == "nqn.2026-11.io.fulmar:missing")
                return fail(errc::not_found, "there is no such subsystem");
            added.push_back(*add);
        }
        return core::control_answer(std::monostate{});
    }
    backend::pcie_environment& environment;
    std::vector<core::control_request*> requests;
    std::unique_ptr<backend::pcie_device> device;
    std::vector<core::add_namespace> added;
    int deleted = 0;
};

struct drive_adoption_test : testing::Test {
    void SetUp() override {
        environment.observer = &service;
        const fs::path folder = dir.path() / "bus/pci/devices/0000:0b:00.0";
        fs::create_directories(folder);
        std::ofstream(folder / "class") << "0x010802\n";
        std::ofstream(folder / "vendor") << "0x1b36\n";
        std::ofstream(folder / "device") << "0x0010\n";
        fs::create_symlink("../../../bus/pci/drivers/vfio-pci", folder / "driver");
    }
    void start(drive_options options) {
        rules = std::make_unique<drive_rules>(std::move(options));
        environment.filter = rules.get();
        adoption = std::make_unique<drive_adoption>(*reactor, target, service, device_list, *rules);
        service.set_publisher([this](const admin::event& one) { adoption->heard(one); });
    }
    void TearDown() override {
        service.set_publisher(nullptr);
        adoption.reset();
        target.answer_all();
        target.device.reset();
        EXPECT_TRUE(reactor.run_until([&] { return !sim_drive.is_open(); }));
        reactor.bring_home();
    }
    template <typename Condition>
    bool until(Condition&& condition) {
        return reactor.run_until([&] {
            target.answer_all();
            return condition();
        });
    }
    /// Whatever is under way has ended, and has led to nothing.
    bool nothing_happens() {
        std::optional<std::size_t> found;  // asked later, so answered later
        service.list([&](const auto& all) { found = all->size(); });
        return until([&] { return found.has_value(); }) && target.device == nullptr;
    }
    attach_rule rule(drive_pattern which, std::string to = "nqn.2026-11.io.fulmar:one") {
        attach_rule made{.which = std::move(which), .subsystem = std::move(to)};
        made.use.on_loss = core::loss_policy::hold;
        made.use.hold_s = 7;
        return made;
    }

    test::temp_dir dir;
    test::fake_drive sim_drive;
    test::hand_reactor reactor{true};
    backend::pcie_device_list device_list;
    drive_service service{*reactor,
                          device_list,
                          {.pci = (dir.path() / "bus/pci").string(),
                           .proc = (dir.path() / "proc").string(),
                           .dev = (dir.path() / "dev").string()}};
    backend::pcie_environment environment{.control = &*reactor,
                                          .data = {&*reactor},
                                          .provider = &sim_drive.provider(),
                                          .device_list = &device_list};
    small_target target{environment};
    std::unique_ptr<drive_rules> rules;
    std::unique_ptr<drive_adoption> adoption;
};

TEST_F(drive_adoption_test, a_drive_that_is_there_at_start_becomes_a_namespace) {
    start({.auto_attach = {rule({.address = "0000:0b:*"})}});
    adoption->look_around();
    ASSERT_TRUE(until([&] { return target.added.size() == 1; }));
    EXPECT_EQ(target.added[0].nqn, "nqn.2026-11.io.fulmar:one");
    EXPECT_EQ(target.added[0].spec.device, "drive-0000:0b:00.0");
    EXPECT_EQ(target.added[0].spec.on_loss, core::loss_policy::hold);
    EXPECT_EQ(target.added[0].spec.hold_s, 7u);
    EXPECT_EQ(target.device->status().state, backend::drive_state::ready);
    // Whatever comes later finds it taken.
    adoption->look_around();
    adoption->arrived(place("0000:0b:00.0"));
    std::optional<std::size_t> found;
    service.list([&](const auto& all) { found = all->size(); });
    ASSERT_TRUE(until([&] { return found.has_value(); }));
    EXPECT_EQ(target.added.size(), 1u);
}

TEST_F(drive_adoption_test, one_that_arrives_is_taken_once_however_often_that_is_told) {
    start({.auto_attach = {rule({.address = "*"})}});
    for (int i = 0; i < 3; ++i) adoption->arrived(place("0000:0b:00.0"));
    ASSERT_TRUE(until([&] { return target.added.size() == 1; }));
    EXPECT_EQ(sim_drive.openings(), 1u);
}

TEST_F(drive_adoption_test, one_that_turns_out_to_be_another_is_given_back_unexported) {
    start({.auto_attach = {rule({.serial = "OTHER*"})}});
    adoption->arrived(place("0000:0b:00.0"));
    ASSERT_TRUE(until([&] { return target.deleted == 1; }));
    EXPECT_TRUE(target.added.empty());
}

TEST_F(drive_adoption_test, one_that_is_not_allowed_by_its_serial_number_is_given_back) {
    start({.allow = {{{.serial = "OTHER*"}}}, .auto_attach = {rule({.address = "*"})}});
    adoption->arrived(place("0000:0b:00.0"));
    ASSERT_TRUE(until([&] { return target.deleted == 1; }));
    EXPECT_TRUE(target.added.empty());
}

TEST_F(drive_adoption_test, one_that_no_rule_wants_is_left_alone) {
    start({.auto_attach = {rule({.address = "0000:0c:*"})}});
    adoption->look_around();
    adoption->arrived(place("0000:0b:00.0"));
    EXPECT_TRUE(nothing_happens());
    EXPECT_EQ(sim_drive.openings(), 0u);
}

TEST_F(drive_adoption_test, a_place_that_is_not_allowed_backs_no_device) {
    start({.allow = {{{.address = "0000:0c:*"}}}});
    const auto refused =
        backend::make_pcie_device({.name = "d1", .address = place("0000:0b:00.0")}, environment);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::permission_denied);
    EXPECT_NE(refused.error().text().find("/drives/allow"), std::string::npos);
}

TEST_F(drive_adoption_test, a_rule_without_a_subsystem_makes_a_device_and_no_more) {
    start({.auto_attach = {rule({.address = "*"}, "")}});
    adoption->look_around();
    ASSERT_TRUE(until([&] {
        return target.device != nullptr &&
               target.device->status().state == backend::drive_state::ready;
    }));
    while (reactor->run_once()) target.answer_all();
    EXPECT_TRUE(target.added.empty());
    EXPECT_EQ(target.deleted, 0);
}

TEST_F(drive_adoption_test, a_subsystem_that_is_missing_costs_nobody_the_device) {
    start({.auto_attach = {rule({.address = "*"}, "nqn.2026-11.io.fulmar:missing")}});
    adoption->look_around();
    ASSERT_TRUE(until([&] {
        return target.device != nullptr &&
               target.device->status().state == backend::drive_state::ready;
    }));
    while (reactor->run_once()) target.answer_all();
    EXPECT_EQ(target.deleted, 0);
}

TEST_F(drive_adoption_test, may_go_while_an_answer_is_on_its_way) {
    start({.auto_attach = {rule({.address = "*"})}});
    adoption->look_around();
    ASSERT_TRUE(reactor.run_until([&] { return !target.requests.empty(); }));
    service.set_publisher(nullptr);
    adoption.reset();
    target.answer_all();
    while (reactor->run_once()) {}
    EXPECT_TRUE(target.added.empty());
}

}  // namespace
}  // namespace fulmar::drives
