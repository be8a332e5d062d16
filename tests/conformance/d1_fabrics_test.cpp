// D1: the fabrics commands. What Connect is refused for is in connect_test.cpp.
#include "suite.hpp"

#include <set>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(d1_fabrics);

CONFORMANCE(d1_fabrics, property_get_and_set, "D1/00", "D1/04") {
    const auto c = connect();
    const auto cc = must(c->property_get(nvme::register_offset::cc, nvme::property_size::bytes_4));
    EXPECT_TRUE(nvme::controller_configuration::unpack(static_cast<std::uint32_t>(cc)).en);
    must(c->property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, 0));
    const auto off = must(c->property_get(nvme::register_offset::cc, nvme::property_size::bytes_4));
    EXPECT_EQ(off, 0u);
}

CONFORMANCE(d1_fabrics, properties_are_of_the_admin_queue, "D1/00", "D1/04") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 4));
    const auto get =
        host::make_property_get(nvme::register_offset::vs, nvme::property_size::bytes_4);
    EXPECT_STATUS(run(q, {.sqe = get}), sc::invalid_field.no_retry());
    const auto set =
        host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, 0);
    EXPECT_STATUS(run(q, {.sqe = set}), sc::invalid_field.no_retry());
    bytes block(512);
    EXPECT_STATUS(read_blocks(q, 0, block), sc::success);
}

CONFORMANCE(d1_fabrics, connect_gives_each_host_its_own_controller, "D1/01") {
    const auto one = connect();
    const auto two = connect();
    EXPECT_NE(one->id(), two->id());
    EXPECT_GE(one->id(), 1);
    EXPECT_LE(std::max(one->id(), two->id()), nvme::cntlid_max);
}

CONFORMANCE(d1_fabrics, io_queues_join_their_controller, "D1/01") {
    const auto c = connect();
    for (std::uint16_t qid = 1; qid <= 4; ++qid) must(c->open_io_queue(qid, 8));
    const bytes data = pattern(8192);
    for (const auto& q : c->io_queues()) EXPECT_STATUS(write_blocks(*q, 0, data), sc::success);
    bytes got(data.size());
    for (const auto& q : c->io_queues()) EXPECT_STATUS(read_blocks(*q, 0, got), sc::success);
    EXPECT_EQ(got, data);
    std::set<std::uint32_t> reactors;
    for (const core::connection_status& s : target().connections()) reactors.insert(s.reactor);
    EXPECT_EQ(reactors.size(), static_cast<std::size_t>(data_reactors()))
        << "admin and I/O queues are to live on every data reactor";
}

CONFORMANCE(d1_fabrics, authentication_is_out_of_sequence, "D1/05") {
    const auto c = connect();
    for (const nvme::fctype type :
         {nvme::fctype::authentication_send, nvme::fctype::authentication_receive}) {
        auto cmd = nvme::make_fabrics_command<nvme::authentication_command>(type, 0);
        cmd.secp = nvme::auth_secp_nvme;
        cmd.spsp0 = cmd.spsp1 = nvme::auth_spsp;
        EXPECT_STATUS(run(c->admin(), {.sqe = nvme::to_sqe(cmd)}),
                      sc::command_sequence_error.no_retry());
    }
}

CONFORMANCE(d1_fabrics, disconnect_ends_one_io_queue, "D1/08") {
    const auto c = connect();
    host::queue& gone = *must(c->open_io_queue(1, 4));
    host::queue& stays = *must(c->open_io_queue(2, 4));
    const auto cmd =
        nvme::make_fabrics_command<nvme::disconnect_command>(nvme::fctype::disconnect, 0);
    EXPECT_STATUS(run(gone, {.sqe = nvme::to_sqe(cmd)}), sc::success);
    EXPECT_TRUE(await_end(gone));
    bytes block(512);
    EXPECT_STATUS(read_blocks(stays, 0, block), sc::success);
    must(c->keep_alive());
    EXPECT_TRUE(c->open_io_queue(1, 4).has_value()) << "its id is free again";
}

CONFORMANCE(d1_fabrics, disconnect_of_the_admin_queue_is_refused, "D1/08") {
    const auto c = connect();
    const auto cmd =
        nvme::make_fabrics_command<nvme::disconnect_command>(nvme::fctype::disconnect, 0);
    EXPECT_STATUS(run(c->admin(), {.sqe = nvme::to_sqe(cmd)}),
                  sc::disconnect_invalid_queue_type.no_retry());
    const auto discovery = connect_discovery();
    EXPECT_STATUS(run(discovery->admin(), {.sqe = nvme::to_sqe(cmd)}),
                  sc::disconnect_invalid_queue_type.no_retry());
    must(c->keep_alive());
}

CONFORMANCE(d1_fabrics, disconnect_of_another_format_is_refused, "D1/08") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 4));
    auto cmd = nvme::make_fabrics_command<nvme::disconnect_command>(nvme::fctype::disconnect, 0);
    cmd.recfmt = std::uint16_t{1};
    EXPECT_STATUS(run(q, {.sqe = nvme::to_sqe(cmd)}), sc::connect_incompatible_format.no_retry());
    bytes block(512);
    EXPECT_STATUS(read_blocks(q, 0, block), sc::success);
}

CONFORMANCE(d1_fabrics, unknown_types_are_invalid, "D1/C0") {
    const auto c = connect();
    for (const unsigned type : {0x02u, 0x03u, 0x07u, 0x09u, 0x7fu, 0xc0u, 0xffu}) {
        nvme::fabrics_command cmd{};
        cmd.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::fabrics);
        cmd.fctype = static_cast<std::uint8_t>(type);
        EXPECT_STATUS(run(c->admin(), {.sqe = nvme::to_sqe(cmd)}), sc::invalid_field.no_retry())
            << type;
    }
}

CONFORMANCE(d1_fabrics, names_of223_bytes, "D1/names") {
    const auto longest = [](std::string nqn) {
        nqn.resize(nvme::nqn_bytes_max, 'x');
        return nqn;
    };
    const std::string subsystem = longest("nqn.2026-01.io.fulmar:");
    offered().nqn = subsystem;
    host::controller_options options = host_options();
    options.subnqn = subsystem;
    options.hostnqn = longest("nqn.2026-01.io.fulmar:host:");
    const auto c = connect(options);
    const auto& field = c->identity().subnqn;
    EXPECT_EQ(nvme::read_nqn(field), subsystem);
    options.subnqn = nvme::discovery_nqn;
    EXPECT_EQ(nvme::read_nqn(connect(options)->identity().subnqn), nvme::discovery_nqn);
}

}  // namespace
}  // namespace fulmar::conformance
