// The form of I/O commands: what is read out of them, and what is refused before anybody looks at
// the state of a namespace.
#include <fulmar/base/limits.hpp>
#include <fulmar/core/parsed_io.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
using nvme::data_direction;
using nvme::io_opcode;

struct parse_io_command : testing::Test {
    backend::geometry device = [] {
        backend::geometry all;
        all.compare = all.write_zeroes = all.verify = all.deallocate = true;
        all.write_uncorrectable = true;
        all.copy.ranges = 4;
        return all;
    }();
    parsed_io out;

    static nvme::sqe command(io_opcode opcode, std::uint32_t blocks = 8, bool fua = false) {
        nvme::sqe made{};
        made.opcode = static_cast<std::uint8_t>(opcode);
        nvme::encode_block_range(made, {.slba = 1'000, .blocks = blocks, .fua = fua});
        return made;
    }
    nvme::status parse(const nvme::sqe& what, std::uint32_t sgl_bytes,
                       nvme::status sgl_status = sc::success) {
        return parse_io(what,
                        {.device = device,
                         .block_shift = 9,
                         .max_transfer_bytes = 1u << 20,
                         .sgl_bytes = sgl_bytes,
                         .sgl_status = sgl_status},
                        out);
    }
};

TEST_F(parse_io_command, that_moves_blocks_says_which_and_which_way) {
    struct row {
        io_opcode opcode;
        backend::io_kind kind;
        data_direction direction;
        bool changes;
    };
    for (const row& one :
         {row{io_opcode::read, backend::io_kind::read, data_direction::controller_to_host, false},
          row{io_opcode::write, backend::io_kind::write, data_direction::host_to_controller, true},
          row{io_opcode::compare, backend::io_kind::compare, data_direction::host_to_controller,
              false}}) {
        EXPECT_EQ(parse(command(one.opcode, 8, true), 4096), sc::success);
        EXPECT_EQ(out.kind, one.kind);
        EXPECT_EQ(out.direction, one.direction);
        EXPECT_EQ(out.changes_blocks, one.changes);
        EXPECT_EQ(out.first_block, 1'000u);
        EXPECT_EQ(out.block_count, 8u);
        EXPECT_EQ(out.length, 4096u);
        EXPECT_TRUE(out.fua);
        EXPECT_FALSE(out.brings_ranges || out.hint_only);
    }
}

TEST_F(parse_io_command, without_data_needs_no_data_pointer) {
    const nvme::status no_pointer = sc::sgl_type_invalid;
    EXPECT_EQ(parse(command(io_opcode::flush), 0, no_pointer), sc::success);
    EXPECT_EQ(out.block_count, 0u) << "it names no range";
    EXPECT_EQ(parse(command(io_opcode::write_zeroes, 65'536), 0, no_pointer), sc::success);
    EXPECT_EQ(out.block_count, 65'536u);
    EXPECT_TRUE(out.changes_blocks);
    EXPECT_EQ(parse(command(io_opcode::write_uncorrectable, 65'536, true), 0, no_pointer),
              sc::success);
    EXPECT_EQ(out.kind, backend::io_kind::write_uncorrectable);
    EXPECT_EQ(out.block_count, 65'536u);
    EXPECT_TRUE(out.changes_blocks);
    EXPECT_FALSE(out.fua) << "that bit is reserved there";
    EXPECT_EQ(parse(command(io_opcode::verify), 0, no_pointer), sc::success);
    EXPECT_FALSE(out.changes_blocks);
    EXPECT_EQ(out.length, 0u);
}

TEST_F(parse_io_command, with_a_data_pointer_of_another_length_is_refused) {
    for (const std::uint32_t bytes : {0u, 4095u, 4097u})
        EXPECT_EQ(parse(command(io_opcode::read), bytes), sc::data_sgl_length_invalid.no_retry());
    EXPECT_EQ(parse(command(io_opcode::read), 4096, sc::sgl_type_invalid),
              sc::sgl_type_invalid.no_retry());
    EXPECT_EQ(parse(command(io_opcode::read, 65'536), 65'536u * 512), sc::invalid_field.no_retry())
        << "more than one command may move";
}

TEST_F(parse_io_command, of_ranges_has_room_for_as_many_as_it_names) {
    nvme::sqe trim{};
    trim.opcode = static_cast<std::uint8_t>(io_opcode::dataset_management);
    nvme::encode_dataset_management(trim,
                                    {.ranges = 3, .attributes = nvme::dsm_attribute::deallocate});
    const std::uint32_t whole = limits::max_dsm_ranges * sizeof(nvme::dsm_range);
    EXPECT_EQ(parse(trim, 3 * sizeof(nvme::dsm_range)), sc::success);
    EXPECT_EQ(parse(trim, whole), sc::success) << "Linux always sends that much";
    EXPECT_EQ(out.length, 3 * sizeof(nvme::dsm_range));
    EXPECT_TRUE(out.brings_ranges && out.changes_blocks);
    EXPECT_FALSE(out.hint_only);
    EXPECT_EQ(parse(trim, 2 * sizeof(nvme::dsm_range)), sc::data_sgl_length_invalid.no_retry());
    EXPECT_EQ(parse(trim, whole + 16), sc::data_sgl_length_invalid.no_retry());
    nvme::encode_dataset_management(
        trim, {.ranges = 3, .attributes = nvme::dsm_attribute::integral_read});
    EXPECT_EQ(parse(trim, whole), sc::success);
    EXPECT_TRUE(out.hint_only);

    nvme::sqe copy{};
    copy.opcode = static_cast<std::uint8_t>(io_opcode::copy);
    nvme::encode_copy(copy, {.sdlba = 7, .ranges = 4});
    EXPECT_EQ(parse(copy, 4 * sizeof(nvme::copy_range)), sc::success);
    EXPECT_EQ(out.kind, backend::io_kind::copy);
    EXPECT_EQ(out.block_count, 0u) << "how many blocks, its ranges say";
    nvme::encode_copy(copy, {.sdlba = 7, .ranges = 5});
    EXPECT_EQ(parse(copy, 5 * sizeof(nvme::copy_range)),
              sc::command_size_limit_exceeded.no_retry());
    nvme::encode_copy(copy, {.sdlba = 7, .ranges = 1, .descriptor_format = 1});
    EXPECT_EQ(parse(copy, sizeof(nvme::copy_range)), sc::invalid_field.no_retry());
}

TEST_F(parse_io_command, that_the_device_does_not_have_is_an_invalid_opcode) {
    device.compare = device.write_zeroes = device.verify = device.deallocate = false;
    device.write_uncorrectable = false;
    device.copy.ranges = 0;
    for (const io_opcode opcode : {io_opcode::compare, io_opcode::write_zeroes, io_opcode::verify,
                                   io_opcode::copy, io_opcode::write_uncorrectable})
        EXPECT_EQ(parse(command(opcode), 4096), sc::invalid_opcode.no_retry())
            << static_cast<int>(opcode);
    nvme::sqe trim{};
    trim.opcode = static_cast<std::uint8_t>(io_opcode::dataset_management);
    nvme::encode_dataset_management(trim,
                                    {.ranges = 1, .attributes = nvme::dsm_attribute::deallocate});
    EXPECT_EQ(parse(trim, 16), sc::success);
    EXPECT_TRUE(out.hint_only) << "a hint needs no device";
}

TEST_F(parse_io_command, that_is_unknown_is_refused_whatever_its_namespace) {
    nvme::sqe unknown{};
    unknown.opcode = 0x3f;
    EXPECT_EQ(check_opcode(unknown), sc::invalid_opcode.no_retry());
    EXPECT_EQ(parse(unknown, 0), sc::invalid_opcode.no_retry());
    EXPECT_EQ(check_opcode(command(io_opcode::read)), sc::success);
}

}  // namespace
}  // namespace fulmar::core::test
