// A drive's volatile write cache: what is known of it when the drive goes, and doing without.
#include "pcie_fixture.hpp"

#include <fulmar/nvme/io_command.hpp>

using namespace fulmar;
using backend::device_state;
using backend::drive_state;
using test::fake_drive;
namespace sc = nvme::sc;

namespace {

/// Says whether a device may serve without what it has lost.
struct deciding_listener final : backend::device_listener {
    void on_device_lost(backend::device& which, const std::string&) noexcept override {
        ++losses;
        knew_of_lost_data = which.lost_data();
    }
    void on_device_returned(backend::device&) noexcept override { ++returns; }
    bool on_device_back_without_data(backend::device&, const std::string& why) noexcept override {
        ++asked;
        reason = why;
        return accepts;
    }
    void on_device_resized(backend::device&) noexcept override {}
    bool accepts = false;
    bool knew_of_lost_data = false;
    int losses = 0;
    int returns = 0;
    int asked = 0;
    std::string reason;
};

struct pcie_cache_test : test::pcie_fixture {
    deciding_listener decides;

    void use(fake_drive::options sim_drive_options) {
        close();
        sim_drive_options.loses_cache = true;
        present = sim_drive_options;
        sim_drive.plug(sim_drive_options);
        device = backend::make_pcie_device(options, environment).value();
        device->set_listener(&decides);
        open();
    }
    /// The slot is switched off, and on again later.
    void power_off() {
        sim_drive.plug(std::nullopt);
        device->report_loss(backend::loss_cause::removed);
        ASSERT_TRUE(becomes(drive_state::absent));
    }
    void power_on() {
        sim_drive.plug(present);
        device->arrived();
        ASSERT_TRUE(becomes(drive_state::ready));
    }
    nvme::status write(std::uint64_t first, bool fua = false) {
        return io().write(first, 8, filled(0, 4096, 7), fua);
    }
    bool is_stored(std::uint64_t first) const {
        const auto medium = sim_drive.media();
        return medium.at(first * 512) != std::byte{} || medium.at(first * 512 + 1) != std::byte{};
    }
    fake_drive::options present;
};

TEST_F(pcie_cache_test, a_power_loss_takes_what_was_not_flushed_so_the_tests_mean_something) {
    use({});
    ASSERT_EQ(write(0), sc::success);
    ASSERT_EQ(io().flush(), sc::success);
    ASSERT_EQ(write(8), sc::success);
    ASSERT_EQ(write(16, true), sc::success);
    power_off();
    EXPECT_TRUE(is_stored(0));
    EXPECT_FALSE(is_stored(8));
    EXPECT_TRUE(is_stored(16));
}

TEST_F(pcie_cache_test, a_drive_that_lost_acknowledged_writes_stays_away_until_that_is_accepted) {
    use({});
    ASSERT_EQ(write(0), sc::success);
    EXPECT_TRUE(device->has_unflushed_writes());
    EXPECT_FALSE(device->lost_data()) << "it serves";
    power_off();
    EXPECT_TRUE(decides.knew_of_lost_data);
    EXPECT_TRUE(device->lost_data());
    power_on();
    ASSERT_TRUE(reactor.run_until([&] { return decides.asked == 1; }));
    EXPECT_EQ(device->state(), device_state::lost);
    EXPECT_TRUE(device->lost_data());
    EXPECT_NE(decides.reason.find("write cache"), std::string::npos) << decides.reason;
    EXPECT_NE(device->note().find("write cache"), std::string::npos) << device->note();
    EXPECT_EQ(io().flush(), backend::device_gone) << "a Flush must not say that all is well";
    // Nor does it come back by itself another time.
    power_off();
    power_on();
    ASSERT_TRUE(reactor.run_until([&] { return decides.asked == 2; }));
    EXPECT_EQ(device->state(), device_state::lost);
    ASSERT_TRUE(device->reopen().has_value());
    EXPECT_EQ(device->state(), device_state::ready);
    EXPECT_EQ(decides.returns, 2);
    EXPECT_FALSE(device->has_unflushed_writes());
    EXPECT_EQ(io().flush(), sc::success);
}

TEST_F(pcie_cache_test, what_every_kind_of_write_owes) {
    use({.oncs = 0x10d});
    const auto owes = [&](nvme::status status) {
        EXPECT_EQ(status, sc::success);
        const bool so = device->has_unflushed_writes();
        EXPECT_EQ(io().flush(), sc::success);
        EXPECT_FALSE(device->has_unflushed_writes());
        return so;
    };
    EXPECT_TRUE(owes(write(0)));
    EXPECT_FALSE(owes(write(0, true)));
    EXPECT_TRUE(owes(io().write_zeroes(0, 8)));
    EXPECT_FALSE(owes(io().write_zeroes(0, 8, true)));
    EXPECT_TRUE(owes(io().deallocate({{0, 8}})));
    EXPECT_TRUE(owes(io().copy({{0, 8}}, 64)));
    EXPECT_FALSE(owes(io().copy({{0, 8}}, 64, true)));
    EXPECT_FALSE(owes(io().read(0, 8, piece(0, 4096))));
    sim_drive.fail_next(sc::write_fault);
    EXPECT_NE(write(0), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes()) << "it was not acknowledged";
    ASSERT_EQ(write(0), sc::success);
    sim_drive.fail_next(sc::internal_error);
    EXPECT_NE(io().flush(), sc::success);
    EXPECT_TRUE(device->has_unflushed_writes()) << "a Flush that failed covers nothing";
}

TEST_F(pcie_cache_test, a_drive_that_owed_nothing_comes_back_by_itself) {
    use({});
    ASSERT_EQ(write(0), sc::success);
    ASSERT_EQ(io().flush(), sc::success);
    power_off();
    EXPECT_FALSE(decides.knew_of_lost_data);
    power_on();
    EXPECT_EQ(device->state(), device_state::ready);
    EXPECT_EQ(decides.asked, 0);
    EXPECT_TRUE(is_stored(0));
}

TEST_F(pcie_cache_test, where_hosts_were_told_of_the_loss_it_serves_again) {
    use({});
    decides.accepts = true;
    ASSERT_EQ(write(0), sc::success);
    power_off();
    power_on();
    EXPECT_EQ(device->state(), device_state::ready);
    EXPECT_EQ(decides.asked, 1) << "and says so";
    EXPECT_FALSE(device->has_unflushed_writes()) << "once";
}

TEST_F(pcie_cache_test, an_orderly_detach_empties_the_cache) {
    use({});
    ASSERT_EQ(write(0), sc::success);
    ASSERT_TRUE(device->detach(true));
    ASSERT_TRUE(becomes(drive_state::absent));
    EXPECT_TRUE(sim_drive.was_shut_down());
    EXPECT_TRUE(is_stored(0));
    ASSERT_TRUE(device->attach());
    ASSERT_TRUE(becomes(drive_state::ready));
    EXPECT_EQ(device->state(), device_state::ready);
    EXPECT_EQ(decides.asked, 0);
}

// A reset of the controller keeps the cache; what was owed is owed still.
TEST_F(pcie_cache_test, a_reset_keeps_the_cache_and_the_debt) {
    use({});
    ASSERT_EQ(write(0), sc::success);
    device->report_loss(backend::loss_cause::timed_out);
    EXPECT_FALSE(device->lost_data());
    ASSERT_TRUE(reactor.run_until([&] { return decides.returns == 2; }));
    EXPECT_EQ(decides.asked, 0);
    EXPECT_TRUE(device->has_unflushed_writes());
    EXPECT_EQ(io().flush(), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes());
    EXPECT_TRUE(is_stored(0));
}

TEST_F(pcie_cache_test, a_drive_that_is_pulled_while_it_is_reset_has_lost_its_cache) {
    use({});
    ASSERT_EQ(write(0), sc::success);
    device->report_loss(backend::loss_cause::timed_out);
    device->report_loss(backend::loss_cause::removed);
    EXPECT_TRUE(device->lost_data());
    ASSERT_TRUE(reactor.run_until([&] { return decides.asked == 1; }));
    EXPECT_EQ(device->state(), device_state::lost);
}

// --- doing without -------------------------------------------------------------------------------

TEST_F(pcie_cache_test, through_switches_the_cache_off) {
    options.write_through = true;
    use({});
    EXPECT_FALSE(device->geometry().volatile_write_cache);
    ASSERT_EQ(write(0), sc::success);
    ASSERT_EQ(io().write_zeroes(0, 4), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes());
    power_off();
    EXPECT_TRUE(is_stored(4)) << "acknowledged is durable";
    power_on();
    EXPECT_EQ(device->state(), device_state::ready) << "and off again at every bring-up";
    ASSERT_EQ(write(8), sc::success);
    power_off();
    EXPECT_TRUE(is_stored(8));
}

TEST_F(pcie_cache_test, through_needs_nothing_of_a_drive_without_a_cache) {
    options.write_through = true;
    use({.write_cache = false, .cache_can_be_off = false});
    EXPECT_FALSE(device->geometry().volatile_write_cache);
    EXPECT_EQ(write(0), sc::success);
}

TEST_F(pcie_cache_test, a_cache_that_stays_on_is_not_taken_for_one_that_is_off) {
    for (const bool lies : {false, true}) {
        close();
        options.write_through = true;
        fake_drive::options stubborn;
        stubborn.cache_can_be_off = lies;
        stubborn.forgets_features = lies;
        sim_drive.plug(stubborn);
        make();
        ASSERT_TRUE(reactor.run_until([&] {
            return device->note().find("write cache") != std::string::npos;
        })) << device->note();
        EXPECT_EQ(device->state(), device_state::lost);
        ASSERT_TRUE(becomes(drive_state::absent));
    }
}

TEST_F(pcie_cache_test, the_devices_of_one_drive_agree) {
    use({.namespaces = 2});
    auto second = options;
    second.drive_nsid = 2;
    second.write_through = true;
    const auto made = backend::make_pcie_device(second, environment);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, errc::conflict);
    EXPECT_EQ(made.error().where, "/write_cache");
}

}  // namespace
