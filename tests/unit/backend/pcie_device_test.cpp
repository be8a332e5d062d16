// A drive through all of its life, against a controller in memory.
#include "pcie_fixture.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <vector>

using namespace fulmar;
using backend::drive_state;
using backend::io_kind;
using backend::loss_cause;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::fake_drive;

namespace {

using test::buffer_bytes;
using test::crowd;
using pcie_device_test = test::pcie_fixture;

TEST_F(pcie_device_test, is_lost_until_its_drive_is_up_and_then_says_what_it_is) {
    EXPECT_EQ(device->state(), backend::device_state::lost);
    open();
    EXPECT_EQ(listener.returns, 1);
    EXPECT_EQ(listener.losses, 0);
    EXPECT_EQ(device->state(), backend::device_state::ready);
    EXPECT_EQ(device->geometry().block_bytes, 512u);
    EXPECT_EQ(device->geometry().block_count, 8192u);
    EXPECT_TRUE(device->geometry().volatile_write_cache);
    EXPECT_TRUE(device->geometry().deallocate);
    EXPECT_TRUE(device->geometry().deallocated_reads_zero);
    EXPECT_EQ(device->identity().serial, "FAKE1");
    EXPECT_EQ(device->identity().model, "Fake drive");
    EXPECT_EQ(device->identity().claim, "pci:0000:0b:00.0");
}

TEST_F(pcie_device_test, writes_and_reads_every_size_up_to_a_mebibyte) {
    open();
    for (const std::uint32_t blocks : {1u, 7u, 8u, 9u, 16u, 17u, 255u, 256u, 1000u, 2048u}) {
        const std::size_t bytes = blocks * 512u;
        const auto out = filled(0, bytes, blocks);
        ASSERT_TRUE(nvme::is_success(io().write(5, blocks, out)));
        const auto in = piece(2 << 20, bytes);
        ASSERT_TRUE(nvme::is_success(io().read(5, blocks, in)));
        ASSERT_TRUE(std::ranges::equal(in, out)) << blocks;
        const auto media = sim_drive.media();
        ASSERT_TRUE(std::ranges::equal(std::span(media).subspan(5 * 512, bytes), out));
    }
}

TEST_F(pcie_device_test, cuts_what_is_more_than_the_drive_takes_at_once) {
    restart({.mdts = 2});  // 16 KiB
    const auto out = filled(512, 1 << 20, 3);
    ASSERT_TRUE(nvme::is_success(io().write(0, 2048, out)));
    EXPECT_EQ(sim_drive.commands().size(), 64u);
    const auto in = piece(2 << 20, 1 << 20);
    ASSERT_TRUE(nvme::is_success(io().read(0, 2048, in)));
    EXPECT_TRUE(std::ranges::equal(in, out));
    // The first failure is the answer, and it comes once.
    sim_drive.fail_next(nvme::sc::unrecovered_read_error);
    EXPECT_TRUE(io().read(0, 2048, in).is(nvme::sc::unrecovered_read_error));
}

TEST_F(pcie_device_test, scatter_lists_by_prp_or_by_sgl) {
    open();
    // Chunks that are whole pages: PRPs, scattered.
    const auto out = filled(0, 256 * 1024, 4);
    test::test_op op;
    op.kind = io_kind::write;
    op.block_count = 512;
    for (std::size_t i = 16; i-- != 0;) op.vectors.push_back({out.data() + i * 16384, 16384});
    op.data = op.vectors;
    ASSERT_TRUE(nvme::is_success(io().run(op)));
    auto media = sim_drive.media();
    for (std::size_t i = 0; i < 16; ++i)
        ASSERT_EQ(std::memcmp(media.data() + i * 16384, out.data() + (15 - i) * 16384, 16384), 0);
    // Odd pieces: no PRP can say it, and this drive has no SGLs.
    test::test_op odd;
    odd.kind = io_kind::write;
    odd.block_count = 16;
    for (std::size_t i = 0; i < 8; ++i) odd.vectors.push_back({out.data() + i * 2048, 1024});
    odd.data = odd.vectors;
    EXPECT_TRUE(io().run(odd).is(nvme::sc::internal_error));
    EXPECT_EQ(channel->outstanding(), 0u);

    restart({.serial = "SGL", .sgl = true});
    filled(0, 256 * 1024, 4);
    odd.answers = 0;
    ASSERT_TRUE(nvme::is_success(io().run(odd)));
    media = sim_drive.media();
    for (std::size_t i = 0; i < 8; ++i)
        ASSERT_EQ(std::memcmp(media.data() + i * 1024, out.data() + i * 2048, 1024), 0);
}

TEST_F(pcie_device_test, memory_that_the_drive_cannot_reach_is_refused) {
    open();
    std::vector<std::byte> elsewhere(4096);
    EXPECT_TRUE(io().read(0, 8, elsewhere).is(nvme::sc::internal_error));
    // Across the end of what was lent.
    EXPECT_TRUE(io().read(0, 8, piece(buffer_bytes - 2048, 4096)).is(nvme::sc::internal_error));
    EXPECT_TRUE(sim_drive.commands().empty());
}

TEST_F(pcie_device_test, every_other_command_means_what_it_says) {
    open();
    const auto out = filled(0, 64 * 512, 5);
    ASSERT_TRUE(nvme::is_success(io().write(0, 64, out, true)));
    EXPECT_TRUE(nvme::decode_block_range(sim_drive.commands().back()).fua);
    ASSERT_TRUE(nvme::is_success(io().write(0, 64, out, false)));
    EXPECT_FALSE(nvme::decode_block_range(sim_drive.commands().back()).fua);
    ASSERT_TRUE(nvme::is_success(io().flush()));
    EXPECT_EQ(sim_drive.commands().back().opcode, 0u);
    EXPECT_TRUE(nvme::is_success(io().compare(0, 64, out)));
    out[777] ^= std::byte{1};
    EXPECT_TRUE(io().compare(0, 64, out).is(nvme::sc::compare_failure));
    ASSERT_TRUE(nvme::is_success(io().write_zeroes(8, 8, true)));
    EXPECT_TRUE(nvme::decode_block_range(sim_drive.commands().back()).fua);
    ASSERT_TRUE(nvme::is_success(io().deallocate({{0, 4}, {100, 0}, {20, 2}})));
    EXPECT_EQ(nvme::decode_dataset_management(sim_drive.commands().back()).ranges, 2u);
    const auto media = sim_drive.media();
    const auto zero = [&](std::size_t block) {
        return std::all_of(media.begin() + static_cast<std::ptrdiff_t>(block * 512),
                           media.begin() + static_cast<std::ptrdiff_t>(block * 512 + 512),
                           [](std::byte b) { return b == std::byte{}; });
    };
    for (std::size_t block = 0; block < 64; ++block)
        EXPECT_EQ(zero(block),
                  block < 4 || (block >= 8 && block < 16) || block == 20 || block == 21)
            << block;
    EXPECT_TRUE(io().verify(0, 8).is(nvme::sc::invalid_opcode)) << "this drive has no Verify";
    EXPECT_TRUE(io().read(8192, 1, piece(0, 512)).is(nvme::sc::lba_out_of_range));
}

TEST_F(pcie_device_test, copies_and_verifies_where_the_drive_can) {
    open();
    EXPECT_EQ(device->geometry().copy, backend::copy_bounds{}) << "this one cannot";
    EXPECT_FALSE(device->geometry().verify);
    EXPECT_TRUE(io().copy({{0, 8}}, 100).is(nvme::sc::invalid_opcode));
    fake_drive::options able;
    able.oncs = 0x18d;  // and Verify, and Copy
    restart(able);
    EXPECT_EQ(device->geometry().copy,
              (backend::copy_bounds{.ranges = 16, .range_blocks = 64, .blocks = 256}));
    EXPECT_TRUE(device->geometry().verify);
    EXPECT_TRUE(nvme::is_success(io().verify(0, 8)));
    const auto out = filled(0, 24 * 512, 9);
    ASSERT_TRUE(nvme::is_success(io().write(0, 24, out)));
    ASSERT_TRUE(nvme::is_success(io().copy({{16, 8}, {0, 16}}, 100, true)));
    const nvme::copy_command seen = nvme::decode_copy(sim_drive.commands().back());
    EXPECT_EQ(seen, (nvme::copy_command{.sdlba = 100, .ranges = 2, .fua = true}));
    const auto media = sim_drive.media();
    EXPECT_TRUE(std::equal(out.begin() + 16 * 512, out.end(), media.begin() + 100 * 512));
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + 16 * 512, media.begin() + 108 * 512));
    EXPECT_TRUE(io().copy({{8190, 8}}, 0).is(nvme::sc::lba_out_of_range));
    EXPECT_TRUE(io().copy({{0, 8}}, 8190).is(nvme::sc::lba_out_of_range));
}

TEST_F(pcie_device_test, a_drive_without_a_cache_is_never_flushed) {
    restart({.write_cache = false});
    ASSERT_TRUE(nvme::is_success(io().flush()));
    EXPECT_TRUE(sim_drive.commands().empty());
}

TEST_F(pcie_device_test, statuses_of_the_drive_go_up_without_what_is_its_own) {
    open();
    nvme::status from = nvme::sc::write_fault.no_retry();
    from.more = true;
    from.crd = 2;
    sim_drive.fail_next(from);
    EXPECT_EQ(io().write(0, 8, filled(0, 4096, 6)), nvme::sc::write_fault.no_retry());
    sim_drive.fail_next(nvme::sc::controller_pathing_error);
    EXPECT_EQ(io().write(0, 8, piece(0, 4096)), nvme::sc::internal_error);
}

TEST_F(pcie_device_test, more_operations_than_its_queue_holds_wait_their_turn) {
    close();
    options.command_timeout = seconds(60);  // however slow this machine is now
    make();
    open();
    sim_drive.hold(true);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 1500);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 255; }));
    EXPECT_EQ(channel->outstanding(), 1500u);
    sim_drive.hold(false);
    ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 1500; }));
    EXPECT_TRUE(all.each_once());
    for (const auto& op : all.ops) EXPECT_TRUE(nvme::is_success(op->status));
}

TEST_F(pcie_device_test, what_waits_can_be_aborted_and_what_is_at_the_drive_ends_when_it_ends) {
    open();
    sim_drive.hold(true);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 300);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 255; }));
    channel->abort(*all.ops[299]);
    EXPECT_TRUE(all.ops[299]->status.is(nvme::sc::aborted_by_request));
    channel->abort(*all.ops[0]);
    EXPECT_FALSE(all.ops[0]->finished()) << "the drive may still write to its memory";
    sim_drive.hold(false);
    ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 300; }));
    EXPECT_TRUE(all.each_once());
    EXPECT_TRUE(all.ops[0]->status.is(nvme::sc::aborted_by_request));
}

TEST_F(pcie_device_test, a_requested_removal_answers_everything_and_lets_go_soon) {
    open();
    sim_drive.hold(true);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 400);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 255; }));
    sim_drive.request_removal();
    ASSERT_TRUE(becomes(drive_state::absent));
    EXPECT_EQ(all.answered(), 400u);
    EXPECT_TRUE(all.each_once());
    for (const auto& op : all.ops) EXPECT_EQ(op->status, backend::device_gone);
    EXPECT_EQ(listener.losses, 1);
    EXPECT_EQ(device->status().last_loss, loss_cause::removal_requested);
    EXPECT_FALSE(sim_drive.is_open());
    EXPECT_EQ(io().read(0, 8, piece(0, 4096)), backend::device_gone) << "at once";
    // It stays away until somebody says that there is a drive.
    const std::uint32_t openings = sim_drive.openings();
    reactor.run_until([] { return false; }, milliseconds(300));
    EXPECT_EQ(sim_drive.openings(), openings);
    sim_drive.hold(false);
    device->arrived();
    ASSERT_TRUE(becomes(drive_state::ready));
    EXPECT_EQ(listener.returns, 2);
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
}

TEST_F(pcie_device_test, many_signs_of_one_loss_are_one_loss) {
    open();
    for (const auto cause : {loss_cause::bus_error, loss_cause::removed,
                             loss_cause::removal_requested, loss_cause::silent})
        device->report_loss(cause);
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; })) << "a bus error: reset";
    EXPECT_EQ(listener.losses, 1);
    EXPECT_EQ(device->status().losses, 1u);
    const auto counted = device->status().counters;
    auto once = counted.losses;
    once.fill(0);
    once[static_cast<std::size_t>(loss_cause::bus_error)] = 1;
    EXPECT_EQ(counted.losses, once) << "whatever came after the first sign";
    EXPECT_EQ(std::accumulate(counted.drained.begin(), counted.drained.end(), std::uint64_t{0}),
              1u);
    EXPECT_EQ(device->status().late_reports, 3u);
    EXPECT_EQ(device->status().last_loss, loss_cause::bus_error);
}

TEST_F(pcie_device_test, silence_is_noticed_within_two_seconds) {
    for (const std::uint32_t reads_as : {0u, 0xffff'ffffu}) {
        if (device == nullptr) make();
        sim_drive.plug(fake_drive::options{});
        EXPECT_TRUE(device->attach());
        open();
        crowd all;
        all.submit(*channel, piece(0, buffer_bytes), 64);
        ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 64; }));
        sim_drive.hold(true);
        crowd stuck;
        stuck.submit(*channel, piece(0, buffer_bytes), 300);
        const auto began = std::chrono::steady_clock::now();
        sim_drive.fall_silent(reads_as);
        const int before = listener.losses;
        ASSERT_TRUE(reactor.run_until([&] { return listener.losses > before; }));
        EXPECT_LE(std::chrono::steady_clock::now() - began, seconds(2));
        ASSERT_TRUE(becomes(drive_state::absent));
        EXPECT_EQ(device->status().last_loss, loss_cause::silent);
        EXPECT_TRUE(stuck.each_once());
        channel.reset();
    }
}

TEST_F(pcie_device_test, a_drive_that_completes_nothing_is_reset) {
    open();
    sim_drive.ignore_aborts(true);
    sim_drive.hold(true);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 10);
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_EQ(device->status().last_loss, loss_cause::timed_out);
    sim_drive.hold(false);
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; }));
    EXPECT_TRUE(all.each_once());
    EXPECT_EQ(sim_drive.openings(), 2u);
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
}

TEST_F(pcie_device_test, a_drive_that_keeps_failing_is_not_reset_for_ever) {
    open();
    for (int resets = 1; resets <= 3; ++resets) {
        device->report_loss(loss_cause::fatal_status);
        ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 1 + resets; }));
    }
    device->report_loss(loss_cause::fatal_status);
    ASSERT_TRUE(becomes(drive_state::absent));
    reactor.run_until([] { return false; }, milliseconds(300));
    EXPECT_EQ(device->status().state, drive_state::absent);
    EXPECT_EQ(sim_drive.openings(), 4u);
}

TEST_F(pcie_device_test, a_fatal_error_that_it_reports_is_seen) {
    open();
    sim_drive.hold(true);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 4);
    sim_drive.report_fatal_error();
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_EQ(device->status().last_loss, loss_cause::fatal_status);
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; }));
    EXPECT_TRUE(all.each_once());
}

TEST_F(pcie_device_test, completions_that_nobody_asked_for_change_nothing_and_then_end_it) {
    open();
    for (const auto how : {fake_drive::mischief::wild_cid, fake_drive::mischief::wrong_queue,
                           fake_drive::mischief::wrong_head}) {
        sim_drive.misbehave(how);
        const auto out = filled(0, 4096, 9);
        ASSERT_TRUE(nvme::is_success(io().write(0, 8, out)));
    }
    sim_drive.misbehave(fake_drive::mischief::none);
    EXPECT_EQ(listener.losses, 0) << "a few are put up with";
    sim_drive.misbehave(fake_drive::mischief::wild_cid);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 40);
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_EQ(device->status().last_loss, loss_cause::hostile);
    ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 40; }));
    EXPECT_TRUE(all.each_once());
    sim_drive.misbehave(fake_drive::mischief::none);
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; }));
}

TEST_F(pcie_device_test, a_command_that_is_completed_twice_is_answered_once) {
    open();
    sim_drive.misbehave(fake_drive::mischief::twice);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 6);
    ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 6; }));
    reactor.run_until([] { return false; }, milliseconds(50));
    EXPECT_TRUE(all.each_once());
}

TEST_F(pcie_device_test, the_same_drive_comes_back_and_another_one_does_not) {
    open();
    const auto out = filled(0, 4096, 11);
    ASSERT_TRUE(nvme::is_success(io().write(0, 8, out)));
    sim_drive.request_removal();
    ASSERT_TRUE(becomes(drive_state::absent));
    sim_drive.plug(fake_drive::options{.serial = "OTHER"});
    device->arrived();
    ASSERT_TRUE(reactor.run_until([&] {
        return device->status().last_loss == loss_cause::other_drive &&
               device->status().state == drive_state::absent;
    }));
    EXPECT_EQ(listener.returns, 1) << "never under the old identity";
    EXPECT_NE(device->status().reason.find("OTHER"), std::string::npos);
    EXPECT_TRUE(sim_drive.was_shut_down()) << "it is let go in order";
    EXPECT_EQ(io().read(0, 8, piece(8192, 4096)), backend::device_gone);
    sim_drive.plug(
        fake_drive::options{});  // another drive of that serial: the fake forgets its data
    device->arrived();
    ASSERT_TRUE(becomes(drive_state::ready));
    EXPECT_EQ(listener.returns, 2);
}

TEST_F(pcie_device_test, a_serial_in_the_configuration_is_the_only_one_taken) {
    close();
    options.serial = "WANTED";
    make();
    ASSERT_TRUE(
        reactor.run_until([&] { return device->status().last_loss == loss_cause::other_drive; }));
    ASSERT_TRUE(becomes(drive_state::absent));
    sim_drive.plug(fake_drive::options{.serial = "WANTED"});
    device->arrived();
    ASSERT_TRUE(becomes(drive_state::ready));
}

TEST_F(pcie_device_test, an_operators_detach_is_orderly_and_lasts) {
    open();
    EXPECT_TRUE(device->detach(false));
    ASSERT_TRUE(becomes(drive_state::absent));
    EXPECT_TRUE(sim_drive.was_shut_down());
    EXPECT_EQ(listener.losses, 1);
    device->arrived();
    reactor.run_until([] { return false; }, milliseconds(100));
    EXPECT_EQ(device->status().state, drive_state::absent) << "not by itself";
    EXPECT_TRUE(device->attach());
    ASSERT_TRUE(becomes(drive_state::ready));
}

TEST_F(pcie_device_test, a_drain_lets_what_is_at_the_drive_end_and_refuses_what_comes) {
    open();
    sim_drive.hold(true);
    crowd all;
    all.submit(*channel, piece(0, buffer_bytes), 200);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 200; }));
    EXPECT_TRUE(device->detach(true));
    reactor.run_until([] { return false; }, milliseconds(50));
    EXPECT_EQ(all.answered(), 0u);
    EXPECT_TRUE(sim_drive.is_open()) << "commands are at it";
    EXPECT_EQ(listener.losses, 0) << "its namespace would answer them";
    EXPECT_EQ(io().read(0, 8, piece(0, 4096)), backend::device_gone);
    sim_drive.hold(false);
    ASSERT_TRUE(becomes(drive_state::absent));
    EXPECT_TRUE(all.each_once());
    for (const auto& op : all.ops) EXPECT_TRUE(nvme::is_success(op->status));
    EXPECT_EQ(listener.losses, 1);
    EXPECT_TRUE(sim_drive.was_shut_down());
    EXPECT_EQ(diary_.lines,
              (std::vector<std::string>{"ready", "detached detached", "released detached"}));
    channel.reset();
    EXPECT_TRUE(device->attach());
    open();
}

TEST_F(pcie_device_test, whoever_wants_a_drive_does_not_wait_for_its_drain) {
    for (const bool by_kernel : {true, false}) {
        open();
        sim_drive.hold(true);
        crowd all;
        all.submit(*channel, piece(0, buffer_bytes), 200);
        ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 200; }));
        EXPECT_TRUE(device->detach(true));
        const auto began = std::chrono::steady_clock::now();
        if (by_kernel)
            sim_drive.request_removal();
        else
            EXPECT_TRUE(device->detach(false));
        ASSERT_TRUE(becomes(drive_state::absent));
        EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
        EXPECT_TRUE(all.each_once());
        EXPECT_EQ(all.answered(), 200u);
        sim_drive.hold(false);
        channel.reset();
        EXPECT_TRUE(device->attach());
    }
}

TEST_F(pcie_device_test, a_drive_that_was_detached_before_a_restart_stays_away) {
    close();
    options.detached = true;
    make();
    device->arrived();
    reactor.run_until([] { return false; }, milliseconds(100));
    EXPECT_EQ(device->status().state, drive_state::absent);
    EXPECT_EQ(device->reopen().error().code, errc::conflict);
    EXPECT_TRUE(device->attach());
    ASSERT_TRUE(becomes(drive_state::ready));
}

TEST_F(pcie_device_test, tells_what_happens_to_its_drive) {
    open();
    sim_drive.request_removal();
    ASSERT_TRUE(becomes(drive_state::absent));
    sim_drive.plug(fake_drive::options{.serial = "OTHER"});
    device->arrived();
    ASSERT_TRUE(
        reactor.run_until([&] { return device->status().last_loss == loss_cause::other_drive; }));
    ASSERT_TRUE(becomes(drive_state::absent));
    sim_drive.plug(fake_drive::options{});
    device->arrived();
    ASSERT_TRUE(becomes(drive_state::ready));
    EXPECT_EQ(diary_.lines,
              (std::vector<std::string>{
                  "ready", "lost removal-requested", "released removal-requested", "arrived",
                  "refused other-drive", "released other-drive", "arrived", "returned"}));
}

TEST_F(pcie_device_test, a_drive_that_never_becomes_ready_is_given_back) {
    close();
    sim_drive.never_become_ready(true);
    make();
    ASSERT_TRUE(reactor.run_until(
        [&] { return device->status().last_loss == loss_cause::bring_up_failed; }));
    ASSERT_TRUE(becomes(drive_state::absent));
    EXPECT_NE(device->status().reason.find("become ready"), std::string::npos);
    EXPECT_FALSE(sim_drive.is_open());
    EXPECT_EQ(listener.losses, 0);
    const auto drained = device->status().counters.drained;
    EXPECT_EQ(std::accumulate(drained.begin(), drained.end(), std::uint64_t{0}), 0u)
        << "it had nothing to drain";
    sim_drive.never_become_ready(false);
    EXPECT_TRUE(device->attach());
    ASSERT_TRUE(becomes(drive_state::ready));
}

TEST_F(pcie_device_test, loss_while_it_is_brought_up) {
    close();
    sim_drive.never_become_ready(true);
    make();
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.is_open(); }));
    sim_drive.request_removal();
    ASSERT_TRUE(becomes(drive_state::absent));
    EXPECT_FALSE(sim_drive.is_open());
    EXPECT_EQ(listener.losses, 0) << "nobody was told that it was there";
    sim_drive.never_become_ready(false);
    device->arrived();
    ASSERT_TRUE(becomes(drive_state::ready));
}

TEST_F(pcie_device_test, a_channel_opened_before_the_drive_is_up_serves_when_it_is) {
    close();
    make();
    channel = device->open_channel(*reactor).value();
    EXPECT_EQ(io().read(0, 8, piece(0, 4096)), backend::device_gone);
    ASSERT_TRUE(becomes(drive_state::ready));
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
}

TEST_F(pcie_device_test, a_device_that_is_deleted_gives_its_drive_back) {
    open();
    channel.reset();
    device.reset();
    ASSERT_TRUE(reactor.run_until([&] { return !sim_drive.is_open(); }));
    EXPECT_TRUE(sim_drive.was_shut_down());
    // And another device can have it at once.
    reactor.run_until([] { return false; }, milliseconds(20));
    make();
    open();
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
}

TEST_F(pcie_device_test, flaps_twenty_times_under_load) {
    open();
    for (int i = 0; i < 20; ++i) {
        crowd all;
        all.submit(*channel, piece(0, buffer_bytes), 300);
        reactor->run_once();
        if (i % 3 == 0)
            sim_drive.request_removal();
        else
            device->report_loss(i % 3 == 1 ? loss_cause::removed : loss_cause::silent);
        ASSERT_TRUE(becomes(drive_state::absent));
        ASSERT_EQ(all.answered(), 300u);
        ASSERT_TRUE(all.each_once());
        device->arrived();
        ASSERT_TRUE(becomes(drive_state::ready));
        ASSERT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
    }
    EXPECT_EQ(listener.losses, 20);
    EXPECT_EQ(listener.returns, 21);
}

}  // namespace
