// Unit tests of transport/rdma/private_data.hpp.
#include "private_data.hpp"

#include <gtest/gtest.h>

#include <array>

namespace fulmar::transport::rdma {
namespace {

using nvme::rdma::reject_reason;

constexpr queue_limits able{.max_io_queues = 8,
                            .max_admin_entries = 128,
                            .max_io_entries = 256,
                            .max_read_depth = 16,
                            .max_read_accepted = 16};
constexpr peer_resources usual{.reads_served = 128, .reads_wanted = 0};

nvme::rdma::cm_request request(std::uint16_t qid, std::uint16_t hrqsize, std::uint16_t hsqsize) {
    nvme::rdma::cm_request r{};
    r.qid = qid;
    r.hrqsize = hrqsize;
    r.hsqsize = hsqsize;
    return r;
}

private_data_verdict judge(const nvme::rdma::cm_request& r, const peer_resources& peer = usual,
                           const queue_limits& limits = able) {
    return check_private_data(nvme::wire_bytes(r), peer, limits);
}

void expect_reason(const private_data_verdict& got, reject_reason wanted) {
    const auto* reason = std::get_if<reject_reason>(&got);
    ASSERT_NE(reason, nullptr);
    EXPECT_EQ(*reason, wanted) << to_string(*reason);
}

TEST(rdma_private_data, takes_what_the_linux_host_asks_for) {
    const auto admin = judge(request(0, 32, 31));
    const auto* shape = std::get_if<queue_shape>(&admin);
    ASSERT_NE(shape, nullptr);
    EXPECT_EQ(shape->qid, 0);
    EXPECT_EQ(shape->entries, 32u);
    EXPECT_EQ(shape->peer_room, 32u);
    EXPECT_EQ(shape->read_depth, 16) << "no more than our device can do";
    EXPECT_EQ(shape->read_served, 0);

    const auto io = judge(request(3, 128, 127), {.reads_served = 4, .reads_wanted = 200});
    shape = std::get_if<queue_shape>(&io);
    ASSERT_NE(shape, nullptr);
    EXPECT_EQ(shape->qid, 3);
    EXPECT_EQ(shape->entries, 128u);
    EXPECT_EQ(shape->read_depth, 4) << "no more than the host serves";
    EXPECT_EQ(shape->read_served, 16);
}

TEST(rdma_private_data, padding_behind_the_request_does_not_matter) {
    std::array<std::byte, 56> padded{};
    padded.fill(std::byte{0xff});
    ASSERT_TRUE(nvme::write_wire(padded, request(1, 8, 7)));
    EXPECT_TRUE(std::holds_alternative<queue_shape>(check_private_data(padded, usual, able)));
}

TEST(rdma_private_data, every_length_that_is_too_short_is_rejected_as_such) {
    const auto whole = request(1, 8, 7);
    for (std::size_t n = 0; n < sizeof whole; ++n)
        expect_reason(check_private_data(nvme::wire_bytes(whole).first(n), usual, able),
                      reject_reason::invalid_private_data_length);
}

TEST(rdma_private_data, each_field_has_its_own_reason) {
    auto bad = request(1, 8, 7);
    bad.recfmt = std::uint16_t{1};
    expect_reason(judge(bad), reject_reason::invalid_record_format);
    expect_reason(judge(request(9, 8, 7)), reject_reason::invalid_qid);
    expect_reason(judge(request(1, 8, 0)), reject_reason::invalid_hsqsize);
    expect_reason(judge(request(1, 8, 256)), reject_reason::invalid_hsqsize);
    expect_reason(judge(request(0, 8, 128)), reject_reason::invalid_hsqsize);
    expect_reason(judge(request(1, 8, 0xffff)), reject_reason::invalid_hsqsize);
    expect_reason(judge(request(1, 0, 7)), reject_reason::invalid_hrqsize);
    expect_reason(judge(request(1, 8, 7), {.reads_served = 0, .reads_wanted = 1}),
                  reject_reason::invalid_ird);
}

TEST(rdma_private_data, the_largest_queues_are_taken) {
    EXPECT_TRUE(std::holds_alternative<queue_shape>(judge(request(8, 256, 255))));
    EXPECT_TRUE(std::holds_alternative<queue_shape>(judge(request(0, 128, 127))));
}

TEST(rdma_private_data, a_rejection_is_four_bytes_on_the_wire) {
    const nvme::rdma::cm_reject rejection = make_reject(reject_reason::no_resources);
    const auto bytes = nvme::wire_bytes(rejection);
    EXPECT_EQ(bytes.size(), 4u);
    EXPECT_EQ(bytes[2], std::byte{6});
    EXPECT_EQ(bytes[0], std::byte{0});
}

}  // namespace
}  // namespace fulmar::transport::rdma
