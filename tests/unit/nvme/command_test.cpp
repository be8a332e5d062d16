// Unit tests of fulmar/nvme/command.hpp, io_command.hpp and endian.hpp.
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>

namespace fulmar::nvme {
namespace {

std::uint8_t byte_at(const auto& wire, std::size_t at) {
    return std::to_integer<std::uint8_t>(wire_bytes(wire)[at]);
}

static_assert(lba_range_fits(0, 8, 8));
static_assert(lba_range_fits(8, 0, 8));
static_assert(!lba_range_fits(1, 8, 8));
static_assert(!lba_range_fits(std::numeric_limits<std::uint64_t>::max(), 2, 8));
static_assert(!lba_range_fits(0, 1, 0));

TEST(endian, read_wire_refuses_short_input_and_reads_at_any_offset) {
    std::array<std::byte, 81> buffer{};
    sqe cmd{};
    cmd.cid = 0x1234;
    const std::span<std::byte> odd = std::span{buffer}.subspan(3);
    ASSERT_TRUE(write_wire(odd, cmd));
    const auto copy = read_wire<sqe>(odd);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->cid.value(), 0x1234);
    EXPECT_FALSE(read_wire<sqe>(odd.first(63)));
    EXPECT_FALSE(write_wire(odd.first(63), cmd));
}

TEST(command, fields_are_little_endian_at_their_offsets) {
    sqe cmd{};
    cmd.opcode = static_cast<std::uint8_t>(io_opcode::read);
    cmd.cid = 0xbeef;
    cmd.nsid = 0x01020304;
    cmd.set_cdw10_11(0x1122'3344'5566'7788);
    EXPECT_EQ(byte_at(cmd, 0), 0x02);
    EXPECT_EQ(byte_at(cmd, 2), 0xef);
    EXPECT_EQ(byte_at(cmd, 3), 0xbe);
    EXPECT_EQ(byte_at(cmd, 4), 0x04);
    EXPECT_EQ(byte_at(cmd, 40), 0x88);
    EXPECT_EQ(byte_at(cmd, 47), 0x11);
    EXPECT_EQ(cmd.cdw10_11(), 0x1122'3344'5566'7788);
}

TEST(command, flags_hold_fuse_and_psdt) {
    sqe cmd{};
    cmd.flags = make_flags(fuse::second, psdt::sgl);
    EXPECT_EQ(cmd.flags, 0x42);
    EXPECT_EQ(cmd.fused(), fuse::second);
    EXPECT_EQ(cmd.data_pointer(), psdt::sgl);
    cmd.flags = 0xff;
    EXPECT_EQ(cmd.fused(), fuse::invalid);
    EXPECT_EQ(cmd.data_pointer(), psdt::invalid);
}

TEST(command, prps_share_the_data_pointer) {
    sqe cmd{};
    cmd.set_prps(0x1000, 0xffff'0000'2000);
    EXPECT_EQ(cmd.prps().prp1.value(), 0x1000u);
    EXPECT_EQ(cmd.prps().prp2.value(), 0xffff'0000'2000u);
    EXPECT_EQ(byte_at(cmd, 25), 0x10);
    EXPECT_EQ(byte_at(cmd, 33), 0x20);
}

TEST(command, opcodes_parse_only_when_known) {
    int admin = 0;
    int io = 0;
    for (unsigned raw = 0; raw < 256; ++raw) {
        const auto byte = static_cast<std::uint8_t>(raw);
        if (const auto opcode = parse_admin_opcode(byte)) {
            EXPECT_EQ(static_cast<std::uint8_t>(*opcode), byte);
            ++admin;
        }
        if (const auto opcode = parse_io_opcode(byte)) {
            EXPECT_EQ(static_cast<std::uint8_t>(*opcode), byte);
            ++io;
        }
    }
    EXPECT_EQ(admin, 35);
    EXPECT_EQ(io, 20);
    EXPECT_FALSE(parse_admin_opcode(0x03));
    EXPECT_FALSE(parse_io_opcode(0x03));
}

TEST(command, direction_is_in_the_opcode) {
    EXPECT_EQ(direction_of(0x00), data_direction::none);
    EXPECT_EQ(direction_of(0x01), data_direction::host_to_controller);
    EXPECT_EQ(direction_of(0x02), data_direction::controller_to_host);
    EXPECT_EQ(direction_of(static_cast<std::uint8_t>(admin_opcode::get_features)),
              data_direction::controller_to_host);
    EXPECT_EQ(direction_of(static_cast<std::uint8_t>(io_opcode::dataset_management)),
              data_direction::host_to_controller);
    EXPECT_EQ(direction_of(static_cast<std::uint8_t>(io_opcode::copy)),
              data_direction::host_to_controller);
}

TEST(sgl, in_capsule_and_transport_descriptors) {
    const sgl_descriptor in_capsule = make_in_capsule_sgl(0, 4096);
    EXPECT_EQ(in_capsule.identifier, 0x01);
    EXPECT_EQ(in_capsule.type(), sgl_type::data_block);
    EXPECT_EQ(in_capsule.subtype(), sgl_subtype::offset);
    EXPECT_EQ(in_capsule.byte_count(), 4096u);

    const sgl_descriptor transport = make_transport_sgl(0x10000);
    EXPECT_EQ(transport.identifier, 0x5a);
    EXPECT_EQ(transport.type(), sgl_type::transport_data_block);
    EXPECT_EQ(transport.subtype(), sgl_subtype::transport);
    EXPECT_EQ(transport.byte_count(), 0x10000u);
}

TEST(sgl, keyed_descriptor_has_a_24_bit_length_and_a_key) {
    const sgl_descriptor d = make_keyed_sgl(0xaabb'ccdd'eeff'0011, 0x123456, 0xcafe'babe, true);
    EXPECT_EQ(d.identifier, 0x4f);
    EXPECT_EQ(d.byte_count(), 0x123456u);
    EXPECT_EQ(d.keyed().key.value(), 0xcafe'babeu);
    EXPECT_EQ(d.keyed().address.value(), 0xaabb'ccdd'eeff'0011u);
    EXPECT_EQ(byte_at(d, 8), 0x56);
    EXPECT_EQ(byte_at(d, 10), 0x12);
    EXPECT_EQ(byte_at(d, 11), 0xbe);
    EXPECT_EQ(byte_at(d, 14), 0xca);
    EXPECT_EQ(make_keyed_sgl(0, 1, 2).identifier, 0x40);
}

TEST(completion, status_and_result_round_trip) {
    cqe e = make_cqe(7, sc::invalid_field.no_retry(), 0x1234);
    EXPECT_EQ(e.cid.value(), 7);
    EXPECT_EQ(e.dw0.value(), 0x1234u);
    EXPECT_EQ(e.status_field.value(), 0x8004);
    EXPECT_FALSE(e.phase());
    EXPECT_EQ(e.get_status(), sc::invalid_field.no_retry());
    e.set_status(sc::ana_transition, true);
    EXPECT_TRUE(e.phase());
    EXPECT_EQ(e.get_status(), sc::ana_transition);
    e.set_result64(0x0011'2233'4455'6677);
    EXPECT_EQ(e.result64(), 0x0011'2233'4455'6677u);
    EXPECT_EQ(byte_at(e, 0), 0x77);
    EXPECT_EQ(byte_at(e, 7), 0x00);
}

TEST(block_range, every_field_round_trips) {
    const block_range all{.slba = 0x8000'0000'0000'0001,
                          .blocks = 65536,
                          .fua = true,
                          .lr = true,
                          .deac = true,
                          .stc = true,
                          .prinfo = 0xf,
                          .dtype = 0xf,
                          .dspec = 0xbeef,
                          .dsm_hint = 0xa5};
    sqe cmd{};
    encode_block_range(cmd, all);
    EXPECT_EQ(decode_block_range(cmd), all);
    EXPECT_EQ(cmd.cdw12.value(), 0xfff0'ffffu | 1u << 24 | 1u << 25);
    encode_block_range(cmd, {});
    EXPECT_EQ(decode_block_range(cmd), block_range{});
    EXPECT_EQ(cmd.cdw12.value(), 0u);  // one block is 0 on the wire
}

TEST(block_range, flags_are_where_the_specification_has_them) {
    sqe cmd{};
    encode_block_range(cmd, {.fua = true});
    EXPECT_EQ(cmd.cdw12.value(), 1u << 30);
    encode_block_range(cmd, {.lr = true});
    EXPECT_EQ(cmd.cdw12.value(), 1u << 31);
    encode_block_range(cmd, {.deac = true});
    EXPECT_EQ(cmd.cdw12.value(), 1u << 25);
    encode_block_range(cmd, {.prinfo = prinfo::action | prinfo::check_guard});
    EXPECT_EQ(cmd.cdw12.value(), 1u << 29 | 1u << 28);
    encode_block_range(cmd, {.dtype = 1, .dspec = 2});
    EXPECT_EQ(cmd.cdw12.value(), 1u << 20);
    EXPECT_EQ(cmd.cdw13.value(), 2u << 16);
}

TEST(dataset_management, counts_from_one) {
    sqe cmd{};
    encode_dataset_management(cmd, {.ranges = 256, .attributes = dsm_attribute::deallocate});
    EXPECT_EQ(cmd.cdw10.value(), 255u);
    EXPECT_EQ(cmd.cdw11.value(), 4u);
    EXPECT_EQ(decode_dataset_management(cmd).ranges, 256u);
}

TEST(copy, round_trips) {
    const copy_command all{.sdlba = 0x1234'5678'9abc'def0,
                           .ranges = 128,
                           .descriptor_format = 1,
                           .prinfo_read = 0x9,
                           .prinfo_write = 0x6,
                           .fua = true,
                           .lr = true};
    sqe cmd{};
    encode_copy(cmd, all);
    EXPECT_EQ(decode_copy(cmd), all);
    EXPECT_EQ(cmd.cdw12.value() & 0xffu, 127u);
}

}  // namespace
}  // namespace fulmar::nvme
