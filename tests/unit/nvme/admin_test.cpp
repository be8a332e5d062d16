// Unit tests of fulmar/nvme/identify.hpp, logs.hpp, discovery.hpp, features.hpp and
// async_event.hpp.
#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/discovery.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/namespace_ids.hpp>

#include <gtest/gtest.h>

#include <array>

namespace fulmar::nvme {
namespace {

static_assert(event::ana_changed.pack() == 0x000c'0302);
static_assert(event::namespace_attribute_changed.pack() == 0x0004'0002);
static_assert(event::discovery_log_changed.pack() == 0x0070'f002);
static_assert(event::reservation_log_available.pack() == 0x0080'0006);
static_assert(async_event::unpack(0x0070'f002) == event::discovery_log_changed);
static_assert(queue_counts{4, 2}.pack() == 0x0001'0003);
static_assert(queue_counts::unpack(0xffff'ffff) == queue_counts{65536, 65536});
static_assert(oaes::ana_change == async_event_config::ana_change);
static_assert(oaes::namespace_attribute == async_event_config::namespace_attribute);
static_assert(oaes::discovery_log_change == async_event_config::discovery_log_change);

TEST(identify, command_round_trips) {
    const identify_command all{
        .cns = 0x05, .cntid = 0xbeef, .cns_specific = 0x1234, .csi = 2, .uuid_index = 0x7f};
    sqe cmd{};
    encode_identify(cmd, all);
    EXPECT_EQ(decode_identify(cmd), all);
    EXPECT_EQ(cmd.cdw10.value(), 0xbeef'0005u);
    EXPECT_EQ(cmd.cdw11.value(), 0x0200'1234u);
}

TEST(identify, cns_parses_only_when_known) {
    EXPECT_EQ(parse_cns(0x01), cns::controller);
    EXPECT_EQ(parse_cns(0x1c), cns::command_set_combinations);
    for (const unsigned raw : {0x0bu, 0x0fu, 0x1du, 0xffu})
        EXPECT_FALSE(parse_cns(static_cast<std::uint8_t>(raw)));
}

TEST(identify, namespace_id_list_round_trips) {
    std::array<std::byte, identify_bytes> buffer{};
    const auto u = parse_uuid("f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    const auto n = parse_nguid("0123456789abcdef0123456789abcdef");
    ASSERT_TRUE(u && n);
    namespace_id_list_writer writer{buffer};
    writer.add(eui64{});  // nil: left out
    writer.add(*n);
    writer.add(*u);
    writer.add(csi::nvm);
    EXPECT_EQ(buffer[0], std::byte{2});
    EXPECT_EQ(buffer[1], std::byte{16});
    EXPECT_EQ(buffer[20], std::byte{3});
    EXPECT_EQ(buffer[40], std::byte{4});
    EXPECT_EQ(buffer[41], std::byte{1});
    EXPECT_EQ(buffer[45], std::byte{0});

    const namespace_ids ids = read_namespace_ids(buffer);
    EXPECT_EQ(ids.the_uuid, *u);
    EXPECT_EQ(ids.the_nguid, *n);
    EXPECT_TRUE(ids.the_eui64.is_nil());
    EXPECT_EQ(ids.command_set, csi::nvm);
}

TEST(identify, namespace_id_list_writer_never_overruns) {
    std::array<std::byte, 23> buffer{};
    namespace_id_list_writer writer{std::span{buffer}.first(20)};
    writer.add(uuid{{1}});
    writer.add(csi::zoned);
    EXPECT_EQ(buffer[20], std::byte{0});
    EXPECT_FALSE(read_namespace_ids(buffer).command_set);
}

TEST(identify, hostile_namespace_id_lists_are_cut_off) {
    std::array<std::byte, 64> buffer{};
    buffer[0] = std::byte{3};
    buffer[1] = std::byte{255};  // longer than the buffer
    EXPECT_TRUE(read_namespace_ids(buffer).the_uuid.is_nil());
    buffer[1] = std::byte{4};  // a UUID of 4 bytes
    buffer[4] = std::byte{9};
    EXPECT_TRUE(read_namespace_ids(buffer).the_uuid.is_nil());
    buffer.fill(std::byte{0xff});
    EXPECT_TRUE(read_namespace_ids(buffer).the_uuid.is_nil());
    // An unknown type of length 0 is skipped, and what follows still counts.
    buffer.fill(std::byte{0});
    buffer[0] = std::byte{9};
    buffer[4] = std::byte{4};
    buffer[5] = std::byte{1};
    buffer[8] = std::byte{2};
    EXPECT_EQ(read_namespace_ids(buffer).command_set, csi::zoned);
}

TEST(logs, get_log_page_round_trips) {
    const get_log_page all{.lid = 0x70,
                           .lsp = 0x7f,
                           .rae = true,
                           .length_bytes = (std::uint64_t{0xffff'fffe} + 1) * 4,
                           .offset_bytes = 0x1122'3344'5566'7788,
                           .offset_is_index = true,
                           .lsi = 0xabcd,
                           .csi = 2,
                           .uuid_index = 0x55};
    sqe cmd{};
    encode_get_log_page(cmd, all);
    EXPECT_EQ(decode_get_log_page(cmd), all);
    encode_get_log_page(cmd, {.lid = 0x02, .length_bytes = 512});
    EXPECT_EQ(cmd.cdw10.value(), 127u << 16 | 2u);
    EXPECT_EQ(cmd.cdw11.value(), 0u);
    EXPECT_EQ(decode_get_log_page(cmd).length_bytes, 512u);
}

TEST(logs, the_longest_length_does_not_overflow) {
    sqe cmd{};
    cmd.cdw10 = 0xffff'0000;
    cmd.cdw11 = 0xffff;
    EXPECT_EQ(decode_get_log_page(cmd).length_bytes, std::uint64_t{1} << 34);
}

TEST(logs, enums_parse_only_when_known) {
    EXPECT_EQ(parse_lid(0x0c), lid::ana);
    EXPECT_EQ(parse_lid(0xbf), lid::changed_zones);
    EXPECT_EQ(parse_lid(0x1e), lid::cross_controller_reset);
    for (const unsigned raw : {0x17u, 0x1du, 0x1fu, 0x24u, 0x71u, 0x82u, 0xffu})
        EXPECT_FALSE(parse_lid(static_cast<std::uint8_t>(raw)));
    EXPECT_EQ(parse_ana_state(0x0f), ana_state::change);
    EXPECT_EQ(parse_ana_state(0xf1), ana_state::optimized);  // the upper half is reserved
    EXPECT_FALSE(parse_ana_state(0x00));
    EXPECT_FALSE(parse_ana_state(0x05));
}

TEST(discovery, tsas_is_read_back_as_written) {
    discovery_log_entry entry{};
    tcp_tsas tcp{};
    tcp.sectype = static_cast<std::uint8_t>(tcp_sectype::tls_1_3);
    entry.set_tsas(tcp);
    EXPECT_EQ(entry.tsas[0], 2);
    EXPECT_EQ(entry.as_tcp().sectype, 2);
    rdma_tsas rdma{};
    rdma.prtype = rdma_prtype::roce_v2;
    rdma.pkey = 0xffff;
    entry.set_tsas(rdma);
    EXPECT_EQ(entry.tsas[1], 4);
    EXPECT_EQ(entry.tsas[8], 0xff);
    EXPECT_EQ(entry.as_rdma().prtype, rdma_prtype::roce_v2);
}

TEST(discovery, enums_parse_only_when_known) {
    EXPECT_EQ(parse_trtype(3), trtype::tcp);
    EXPECT_EQ(parse_trtype(0xfe), trtype::loop);
    EXPECT_FALSE(parse_trtype(0));
    EXPECT_FALSE(parse_trtype(4));
    EXPECT_EQ(parse_adrfam(2), adrfam::ipv6);
    EXPECT_FALSE(parse_adrfam(5));
    EXPECT_EQ(parse_subsystem_type(3), subsystem_type::current_discovery);
    EXPECT_FALSE(parse_subsystem_type(0));
}

TEST(features, get_and_set_round_trip) {
    sqe cmd{};
    const get_features get{.fid = 0x0b, .sel = 3, .cdw11 = 7, .uuid_index = 1};
    encode_get_features(cmd, get);
    EXPECT_EQ(decode_get_features(cmd), get);
    EXPECT_EQ(cmd.cdw10.value(), 0x30bu);
    const set_features set{.fid = 0x06, .save = true, .cdw11 = 1, .uuid_index = 2};
    encode_set_features(cmd, set);
    EXPECT_EQ(decode_set_features(cmd), set);
    EXPECT_EQ(cmd.cdw10.value(), 0x8000'0006u);
    EXPECT_FALSE(parse_feature_select(4));
    EXPECT_EQ(parse_fid(0x81), fid::host_identifier);
    EXPECT_FALSE(parse_fid(0x00));
    EXPECT_FALSE(parse_fid(0x1b));
    EXPECT_FALSE(parse_fid(0x85));
}

TEST(features, temperature_threshold_round_trips) {
    const temperature_threshold under{.kelvin = 300, .sensor = 15, .under = true};
    EXPECT_EQ(under.pack(), 300u | 15u << 16 | 1u << 20);
    EXPECT_EQ(temperature_threshold::unpack(under.pack()), under);
}

}  // namespace
}  // namespace fulmar::nvme
