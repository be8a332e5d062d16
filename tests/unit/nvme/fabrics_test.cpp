// Unit tests of fulmar/nvme/fabrics.hpp, registers.hpp and pci_registers.hpp.
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/pci_registers.hpp>

#include <gtest/gtest.h>

namespace fulmar::nvme {
namespace {

static_assert(version_2_0 == 0x0002'0000 && version_1_4 == 0x0001'0400);
static_assert(connect_result(0x1234, false) == 0x1234);
static_assert(connect_result(0xffff, true) == 0x2ffff);
static_assert(connect_parameter::subnqn.pack() == 0x1'0100);
static_assert(connect_parameter::hostnqn.pack() == 0x1'0200);
static_assert(connect_parameter::cntlid.pack() == 0x1'0010);
static_assert(connect_parameter::qid.pack() == 42);
static_assert(connect_parameter::sqsize.pack() == 44);
static_assert(sq_doorbell_offset(0, 0) == 0x1000 && cq_doorbell_offset(0, 0) == 0x1004);
static_assert(sq_doorbell_offset(3, 0) == 0x1018 && cq_doorbell_offset(3, 2) == 0x1070);
static_assert(admin_queue_attributes(32, 32) == 0x001f'001f);
static_assert(page_bytes(0) == 4096 && page_bytes(4) == 65536);

TEST(fabrics, connect_command_is_a_view_of_the_sqe) {
    auto connect = make_fabrics_command<connect_command>(fctype::connect, 5);
    connect.qid = 3;
    connect.sqsize = 127;
    connect.cattr = cattr::disable_sq_flow_control;
    connect.kato_ms = 5000;
    const sqe cmd = to_sqe(connect);
    EXPECT_EQ(cmd.opcode, 0x7f);
    EXPECT_EQ(cmd.data_pointer(), psdt::sgl);
    EXPECT_EQ(cmd.cid.value(), 5);
    EXPECT_EQ(fctype_of(cmd), 0x01);
    EXPECT_EQ(cmd.cdw10.value(), 3u << 16);
    EXPECT_EQ(cmd.cdw11.value(), 127u | 4u << 16);
    EXPECT_EQ(cmd.cdw12.value(), 5000u);
    EXPECT_EQ(view_as<connect_command>(cmd).kato_ms.value(), 5000u);
}

TEST(fabrics, property_set_value_is_64_bits_behind_the_offset) {
    auto set = make_fabrics_command<property_set_command>(fctype::property_set, 1);
    set.attrib = static_cast<std::uint8_t>(property_size::bytes_8);
    set.ofst = register_offset::cc;
    set.value = 0x0011'2233'4455'6677;
    const sqe cmd = to_sqe(set);
    EXPECT_EQ(cmd.cdw10.value(), 1u);
    EXPECT_EQ(cmd.cdw11.value(), 0x14u);
    EXPECT_EQ(cmd.cdw12.value(), 0x4455'6677u);
    EXPECT_EQ(cmd.cdw13.value(), 0x0011'2233u);
}

TEST(fabrics, types_and_sizes_parse_only_when_known) {
    EXPECT_EQ(parse_fctype(0x04), fctype::property_get);
    EXPECT_FALSE(parse_fctype(0x02));
    EXPECT_FALSE(parse_fctype(0xc0));
    EXPECT_EQ(parse_property_size(0), property_size::bytes_4);
    EXPECT_EQ(parse_property_size(1), property_size::bytes_8);
    EXPECT_FALSE(parse_property_size(2));
    EXPECT_EQ(size_of_property(register_offset::cap), property_size::bytes_8);
    EXPECT_EQ(size_of_property(register_offset::csts), property_size::bytes_4);
    EXPECT_FALSE(size_of_property(register_offset::aqa));
    EXPECT_FALSE(size_of_property(register_offset::intms));
    EXPECT_FALSE(size_of_property(0x04));
}

TEST(fabrics, refused_connect_names_the_field) {
    const cqe e = refuse_connect(9, connect_parameter::hostid);
    EXPECT_EQ(e.cid.value(), 9);
    EXPECT_EQ(e.get_status(), sc::connect_invalid_parameters.no_retry());
    EXPECT_EQ(invalid_parameter::unpack(e.dw0.value()), connect_parameter::hostid);
}

TEST(registers, cap_fields_are_where_the_specification_has_them) {
    EXPECT_EQ(capabilities{}.pack(), 1ull << 16 | 1ull << 37);
    const capabilities cap{
        .mqes = 127, .to = 30, .css = cap_css::nvm | cap_css::io_command_sets, .crwms = true};
    EXPECT_EQ(cap.pack(), 127ull | 1ull << 16 | 30ull << 24 | 1ull << 37 | 1ull << 43 | 1ull << 59);
    EXPECT_EQ(cap.timeout_ms(), 15000u);
}

TEST(registers, every_defined_bit_of_cap_round_trips) {
    const std::uint64_t reserved_bits = 0x1full << 19 | 7ull << 61;
    for (unsigned bit = 0; bit < 64; ++bit) {
        const std::uint64_t raw = 1ull << bit;
        const std::uint64_t expected = (raw & reserved_bits) != 0 ? 0 : raw;
        EXPECT_EQ(capabilities::unpack(raw).pack(), expected) << bit;
    }
}

TEST(registers, every_defined_bit_of_cc_csts_and_crto_round_trips) {
    for (unsigned bit = 0; bit < 32; ++bit) {
        const std::uint32_t raw = 1u << bit;
        EXPECT_EQ(controller_configuration::unpack(raw).pack(),
                  bit >= 25 || (bit >= 1 && bit <= 3) ? 0u : raw);
        EXPECT_EQ(controller_status::unpack(raw).pack(), bit >= 7 ? 0u : raw);
        EXPECT_EQ(ready_timeouts::unpack(raw).pack(), raw);
    }
}

TEST(registers, what_linux_writes_to_cc) {
    const auto cc = controller_configuration::unpack(0x0046'0001);
    EXPECT_TRUE(cc.en);
    EXPECT_EQ(cc.iosqes, io_sq_entry_size_log2);
    EXPECT_EQ(cc.iocqes, io_cq_entry_size_log2);
    EXPECT_EQ(cc.shn, shutdown_notification::none);
    EXPECT_EQ(controller_configuration::unpack(0x0046'4001).shn, shutdown_notification::normal);
}

TEST(pci_registers, queue_creation_commands) {
    sqe cmd{};
    encode_create_cq(cmd, 2, 256, 0x10000, true, 5);
    EXPECT_EQ(cmd.opcode, 0x05);
    EXPECT_EQ(cmd.prps().prp1.value(), 0x10000u);
    EXPECT_EQ(cmd.cdw10.value(), 255u << 16 | 2u);
    EXPECT_EQ(cmd.cdw11.value(), 5u << 16 | 3u);
    encode_create_sq(cmd, 2, 256, 0x20000, 2);
    EXPECT_EQ(cmd.opcode, 0x01);
    EXPECT_EQ(cmd.cdw11.value(), 2u << 16 | 1u);
}

}  // namespace
}  // namespace fulmar::nvme
