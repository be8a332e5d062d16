// The data path of a device on an image: what it asks of the cluster.
#include "rbd_fixture.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;

class rbd_device : public test::rbd_fixture {};

TEST_F(rbd_device, reads_what_it_wrote_in_pieces_of_any_size) {
    open();
    for (const std::size_t piece : {std::size_t{65536}, std::size_t{4096}, std::size_t{100}}) {
        auto out = filled(65536, static_cast<unsigned>(piece));
        std::vector<std::byte> in(65536);
        EXPECT_EQ(io().write(16, 128, out, false, piece), sc::success);
        EXPECT_EQ(io().read(16, 128, in, piece), sc::success);
        EXPECT_EQ(in, out) << piece;
    }
    EXPECT_FALSE(device->geometry().volatile_write_cache);
    EXPECT_TRUE(device->geometry().deallocate);
}

TEST_F(rbd_device, zeroes_deallocates_compares_verifies_copies_and_flushes) {
    open();
    auto data = filled(1 << 20, 1);
    EXPECT_EQ(io().write(0, 2048, data), sc::success);
    EXPECT_EQ(io().compare(0, 2048, data), sc::success);
    EXPECT_EQ(io().verify(0, 8192), sc::success);
    EXPECT_EQ(io().copy({{0, 1000}, {1000, 1048}}, 4096), sc::success);
    EXPECT_EQ(io().compare(4096, 2048, data), sc::success);
    data[77777] ^= std::byte{1};
    EXPECT_EQ(io().compare(0, 2048, data), sc::compare_failure.no_retry());
    EXPECT_EQ(io().write_zeroes(0, 8), sc::success);
    EXPECT_EQ(io().deallocate({{8, 8}, {32, 4}, {40, 0}}), sc::success);
    std::vector<std::byte> in(8192);
    EXPECT_EQ(io().read(0, 16, in), sc::success);
    EXPECT_TRUE(test::all_zero(in));
    EXPECT_EQ(io().flush(), sc::success);
    EXPECT_EQ(cluster.flushes, 1);
    EXPECT_EQ(io().write_uncorrectable(0, 1), sc::invalid_opcode.no_retry());
    EXPECT_EQ(io().read(8192, 1, {}), sc::lba_out_of_range.no_retry());
}

TEST_F(rbd_device, keeps_more_operations_waiting_than_it_has_jobs_for) {
    open();
    cluster.keeps = true;
    std::vector<std::unique_ptr<test::test_op>> ops;
    std::vector<std::byte> data(512);
    for (int i = 0; i < 600; ++i) {
        auto& op = ops.emplace_back(std::make_unique<test::test_op>());
        op->kind = io_kind::write;
        op->first_block = static_cast<std::uint64_t>(i);
        op->block_count = 1;
        op->set_data(data);
        channel->submit(*op);
    }
    channel->abort(*ops[599]);
    EXPECT_EQ(ops[599]->status, sc::aborted_by_request);
    channel->abort(*ops[0]);
    EXPECT_EQ(ops[0]->answers, 0) << "what the cluster has it cannot be asked to forget";
    EXPECT_EQ(channel->outstanding(), 599u);
    EXPECT_LE(cluster.kept, 256);
    cluster.release();
    ASSERT_TRUE(reactor.run_until([&] { return channel->outstanding() == 0; }));
    for (int i = 0; i < 599; ++i) EXPECT_EQ(ops[static_cast<std::size_t>(i)]->status, sc::success);
}

TEST_F(rbd_device, changes_nothing_of_a_snapshot) {
    open({.snapshot = "before"});
    std::vector<std::byte> data(512);
    EXPECT_TRUE(device->geometry().read_only);
    EXPECT_EQ(io().write(0, 1, data), sc::namespace_write_protected.no_retry());
    EXPECT_EQ(io().write_zeroes(0, 1), sc::namespace_write_protected.no_retry());
    EXPECT_EQ(io().read(0, 1, data), sc::success);
}

TEST_F(rbd_device, answers_errors_of_the_cluster_that_are_no_loss) {
    open();
    std::vector<std::byte> data(512);
    cluster.error = EIO;
    EXPECT_FALSE(nvme::is_success(io().read(0, 1, data)));
    EXPECT_FALSE(nvme::is_success(io().write(0, 1, data)));
    cluster.error = 0;
    EXPECT_EQ(io().read(0, 1, data), sc::success);
    EXPECT_EQ(listener.losses, 0);
}

TEST_F(rbd_device, chooses_blocks_of_4096_bytes_where_nobody_says_otherwise) {
    open({.block_bytes = 0});
    EXPECT_EQ(device->geometry().block_bytes, 4096u);
    EXPECT_EQ(device->geometry().block_count, image_bytes / 4096);
}

TEST_F(rbd_device, refuses_what_is_no_image_and_no_list_of_cpus) {
    const rbd_environment environment{
        .control = &*reactor, .data = {&*reactor}, .cluster = &cluster};
    EXPECT_FALSE(make_rbd_device({.pool = "rbd"}, environment));
    EXPECT_FALSE(make_rbd_device({.image = "x"}, environment));
    for (const char* bad : {"x", "1-", "-1", "3-1", "1,", ",1", "99999", "1 2"})
        EXPECT_FALSE(make_rbd_device({.pool = "p", .image = "i", .cpus = bad}, environment)) << bad;
    for (const char* good : {"", "0", "0-3", "0,2-3"}) {
        auto made = make_rbd_device({.pool = "p", .image = "i", .cpus = good}, environment);
        EXPECT_TRUE(made) << good;
    }
}

}  // namespace
}  // namespace fulmar::backend
