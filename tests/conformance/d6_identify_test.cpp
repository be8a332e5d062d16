// D6: Identify, structure by structure.
#include "suite.hpp"

#include <fulmar/nvme/namespace_ids.hpp>

#include <cstring>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(d6_identify);

nvme::status identify_status(host::controller& c, std::uint8_t cns, std::uint32_t nsid = 0,
                             std::size_t size = nvme::identify_bytes) {
    bytes page(size);
    return run_read(c.admin(), identify_sqe(cns, nsid), page).status();
}

bytes identify(host::controller& c, nvme::cns what, std::uint32_t nsid = 0) {
    return must(c.identify({.cns = static_cast<std::uint8_t>(what)}, nsid));
}

bool is_zero(const bytes& page) {
    return std::all_of(page.begin(), page.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::vector<std::uint32_t> nsids_of(const bytes& page) {
    std::vector<std::uint32_t> all;
    const auto list = nvme::read_wire<nvme::namespace_list>(page).value();
    for (const nvme::le32& n : list.nsid)
        if (n.value() != 0) all.push_back(n.value());
    return all;
}

std::string_view trimmed(std::span<const char> field) {
    std::string_view text(field.data(), field.size());
    return text.substr(0, text.find_last_not_of(' ') + 1);
}

CONFORMANCE(d6_identify, namespace, "D6/00") {
    const auto c = connect();
    const std::uint64_t blocks[] = {namespace_bytes / 512, namespace_bytes / 4096};
    for (const std::uint32_t nsid : {1u, 2u}) {
        const auto ns = must(c->identify_namespace(nsid));
        EXPECT_EQ(ns.nsze.value(), blocks[nsid - 1]);
        EXPECT_LE(ns.ncap.value(), ns.nsze.value());
        EXPECT_LE(ns.nuse.value(), ns.ncap.value());
        EXPECT_EQ(ns.flbas & nvme::flbas::format_mask, 0);
        EXPECT_EQ(1u << ns.lbaf[0].lbads, nsid == 1 ? 512u : 4096u);
        EXPECT_EQ(ns.lbaf[0].ms.value(), 0);
        EXPECT_EQ(ns.dps, 0);
        EXPECT_EQ(ns.dpc, 0);
        EXPECT_EQ(ns.nmic, nvme::nmic::shared);
        EXPECT_EQ(ns.anagrpid.value(), nsid) << "one ANA group per namespace";
        EXPECT_EQ(ns.dlfeat & 7, nvme::dlfeat::reads_zero);
    }
}

CONFORMANCE(d6_identify, namespaces_that_are_not_there, "D6/00", "D6/05", "D6/08", "D3/nsid") {
    const auto c = connect();
    const std::uint32_t most = c->identity().nn.value();
    for (const nvme::cns cns : {nvme::cns::namespace_data, nvme::cns::command_set_namespace,
                                nvme::cns::independent_namespace}) {
        const auto raw = static_cast<std::uint8_t>(cns);
        EXPECT_TRUE(is_zero(identify(*c, cns, 3))) << "inactive: zeroes";
        EXPECT_TRUE(is_zero(identify(*c, cns, most)));
        for (const std::uint32_t nsid : {0u, most + 1, 0xffff'fffeu, nvme::nsid_broadcast})
            EXPECT_EQ(identify_status(*c, raw, nsid), sc::invalid_namespace_or_format.no_retry())
                << int{raw} << " " << nsid;
    }
    for (const std::uint32_t nsid : {0u, 3u, most + 1, nvme::nsid_broadcast})
        EXPECT_EQ(identify_status(*c, 0x03, nsid), sc::invalid_namespace_or_format.no_retry());
}

CONFORMANCE(d6_identify, active_namespaces, "D6/02", "D6/07") {
    for (std::uint32_t n = 3; n <= 5; ++n) {
        const std::string name = "more" + std::to_string(n);
        setup.spec.devices.push_back({.name = name, .type = "null", .size_bytes = 1u << 20});
        offered().namespaces.push_back({.nsid = n * 100, .device = name});
    }
    const auto c = connect();
    for (const nvme::cns cns :
         {nvme::cns::active_namespaces, nvme::cns::command_set_active_namespaces}) {
        using list = std::vector<std::uint32_t>;
        EXPECT_EQ(nsids_of(identify(*c, cns)), (list{1, 2, 300, 400, 500}));
        EXPECT_EQ(nsids_of(identify(*c, cns, 2)), (list{300, 400, 500}));
        EXPECT_EQ(nsids_of(identify(*c, cns, 399)), (list{400, 500}));
        EXPECT_EQ(nsids_of(identify(*c, cns, 500)), list{});
        for (const std::uint32_t nsid : {0xffff'fffeu, nvme::nsid_broadcast})
            EXPECT_EQ(identify_status(*c, static_cast<std::uint8_t>(cns), nsid),
                      sc::invalid_namespace_or_format.no_retry());
    }
}

CONFORMANCE(d6_identify, descriptors_name_the_namespace_for_ever, "D6/03") {
    nvme::namespace_ids first;
    {
        const auto c = connect();
        first = must(c->identify_descriptors(1));
        EXPECT_FALSE(first.the_uuid.is_nil());
        EXPECT_FALSE(first.the_nguid.is_nil());
        EXPECT_EQ(first.command_set, nvme::csi::nvm);
        const auto second = must(c->identify_descriptors(2));
        EXPECT_NE(first.the_uuid.bytes, second.the_uuid.bytes);
        EXPECT_NE(first.the_nguid.bytes, second.the_nguid.bytes);
        EXPECT_EQ(must(c->identify_namespace(1)).nguid, first.the_nguid.bytes);
    }
    restart();
    const auto again = must(connect()->identify_descriptors(1));
    EXPECT_EQ(again.the_uuid.bytes, first.the_uuid.bytes);
    EXPECT_EQ(again.the_nguid.bytes, first.the_nguid.bytes);
}

CONFORMANCE(d6_identify, descriptors_that_an_operator_chose, "D6/03") {
    offered().namespaces[0].uuid = "01234567-89ab-cdef-0123-456789abcdef";
    offered().namespaces[0].nguid = "00112233445566778899aabbccddeeff";
    const auto ids = must(connect()->identify_descriptors(1));
    EXPECT_EQ(nvme::to_text(ids.the_uuid).view(), "01234567-89ab-cdef-0123-456789abcdef");
    EXPECT_EQ(ids.the_nguid.bytes[1], 0x11);
}

CONFORMANCE(d6_identify, other_command_sets, "D6/05", "D6/06", "D6/07") {
    const auto c = connect();
    for (const nvme::cns cns : {nvme::cns::command_set_namespace, nvme::cns::command_set_controller,
                                nvme::cns::command_set_active_namespaces}) {
        const std::uint32_t nsid = cns == nvme::cns::command_set_namespace ? 1 : 0;
        EXPECT_EQ(identify_status(*c, static_cast<std::uint8_t>(cns), nsid), sc::success);
        for (const auto csi :
             {nvme::csi::key_value, nvme::csi::zoned, static_cast<nvme::csi>(0xff)}) {
            nvme::sqe sqe = admin_sqe(nvme::admin_opcode::identify, nsid);
            nvme::encode_identify(sqe, {.cns = static_cast<std::uint8_t>(cns),
                                        .csi = static_cast<std::uint8_t>(csi)});
            bytes page(nvme::identify_bytes);
            EXPECT_STATUS(run_read(c->admin(), sqe, page), sc::invalid_command_set.no_retry());
        }
    }
}

CONFORMANCE(d6_identify, nvm_command_set_controller, "D6/06") {
    const auto c = connect();
    EXPECT_TRUE(is_zero(identify(*c, nvme::cns::command_set_controller)))
        << "no limits beyond MDTS";
}

// Linux from 6.11 on makes atomic writes of it, and databases rely on those.
CONFORMANCE(d6_identify, one_block_is_atomic_and_no_more_is_promised, "D6/00", "D6/01") {
    const auto c = connect();
    EXPECT_EQ(c->identity().awun.value(), 0) << "0-based";
    EXPECT_EQ(c->identity().awupf.value(), 0);
    for (const std::uint32_t nsid : {1u, 2u}) {
        const auto ns = must(c->identify_namespace(nsid));
        EXPECT_EQ(ns.nawun.value(), 0);
        EXPECT_EQ(ns.nawupf.value(), 0);
        EXPECT_EQ(ns.nabspf.value(), 0);
    }
}

CONFORMANCE(d6_identify, independent_namespace, "D6/08") {
    const auto c = connect();
    const auto page = identify(*c, nvme::cns::independent_namespace, 1);
    const auto ns = *nvme::read_wire<nvme::identify_independent_namespace>(page);
    EXPECT_EQ(ns.nstat & nvme::nstat::ready, nvme::nstat::ready);
    EXPECT_EQ(ns.nmic, nvme::nmic::shared);
    EXPECT_EQ(ns.anagrpid.value(), 1u);
    EXPECT_NE(ns.nsfeat & nvme::independent_nsfeat::volatile_write_cache_absent, 0);
}

CONFORMANCE(d6_identify, command_set_combinations, "D6/1C") {
    const auto c = connect();
    const auto ask = [&](std::uint16_t cntid) {
        return c->identify({.cns = 0x1c, .cntid = cntid});
    };
    for (const std::uint16_t own : {std::uint16_t{0xffff}, c->id()}) {
        const auto list = nvme::read_wire<nvme::command_set_combination_list>(must(ask(own)));
        EXPECT_EQ(list->combination[0].value(), 1u) << "the NVM command set";
        EXPECT_EQ(list->combination[1].value(), 0u);
    }
    EXPECT_FALSE(ask(static_cast<std::uint16_t>(c->id() + 1)).has_value());
}

CONFORMANCE(d6_identify, optional_structures, "D6/04", "D6/09", "D6/10", "D6/14", "D6/16", "D6/1A",
            "D3/unknown") {
    const auto c = connect();
    for (const unsigned cns :
         {0x04u, 0x09u, 0x0au, 0x10u, 0x11u, 0x12u, 0x13u, 0x14u, 0x15u, 0x16u,
          0x17u, 0x18u, 0x19u, 0x1au, 0x1bu, 0x0bu, 0x1du, 0x20u, 0x80u, 0xffu})
        EXPECT_EQ(identify_status(*c, static_cast<std::uint8_t>(cns), 1),
                  sc::invalid_field.no_retry())
            << cns;
    const auto discovery = connect_discovery();
    for (unsigned cns = 0; cns <= 0x20; ++cns) {
        if (cns == 1) continue;
        EXPECT_EQ(identify_status(*discovery, static_cast<std::uint8_t>(cns)),
                  sc::invalid_field.no_retry())
            << cns;
    }
}

CONFORMANCE(d6_identify, length_of_the_buffer, "D3/sgl") {
    const auto c = connect();
    for (const std::size_t size : {4u, 512u, 4092u, 4100u, 8192u})
        EXPECT_EQ(identify_status(*c, 0x01, 0, size), sc::data_sgl_length_invalid.no_retry())
            << size;
    EXPECT_EQ(identify_status(*c, 0x01, 0, 0), sc::data_sgl_length_invalid.no_retry());
}

CONFORMANCE(d6_identify, fields_of_an_io_controller, "D6/01", "D6/fields") {
    offered().serial = "S3R1AL";
    offered().model = "A model";
    const auto c = connect();
    const nvme::identify_controller& id = c->identity();
    EXPECT_EQ(trimmed(id.sn), "S3R1AL");
    EXPECT_EQ(trimmed(id.mn), "A model");
    EXPECT_FALSE(trimmed(id.fr).empty());
    EXPECT_EQ(id.cntrltype, static_cast<std::uint8_t>(nvme::controller_type::io));
    EXPECT_EQ(id.cntlid.value(), c->id());
    EXPECT_EQ(id.oaes.value(), nvme::oaes::namespace_attribute | nvme::oaes::ana_change);
    EXPECT_NE(id.ctratt.value() & nvme::ctratt::host_id_128, 0u);
    EXPECT_NE(id.kas.value(), 0);
    EXPECT_EQ(id.sqes, nvme::sqes_64);
    EXPECT_EQ(id.cqes, nvme::cqes_16);
    EXPECT_GT(id.nn.value(), 0u);
    EXPECT_LE(id.mnan.value(), id.nn.value());
    EXPECT_EQ(id.oncs.value(), nvme::oncs::compare | nvme::oncs::dataset_management |
                                   nvme::oncs::write_zeroes | nvme::oncs::save_and_select |
                                   nvme::oncs::reservations | nvme::oncs::verify |
                                   nvme::oncs::copy | nvme::oncs::write_uncorrectable);
    EXPECT_EQ(id.ocfs.value(), nvme::ocfs::format_0);
    EXPECT_EQ(id.fuses.value(), nvme::fuses::compare_and_write);
    EXPECT_EQ(id.oacs.value(), 0);
    EXPECT_EQ(id.vwc & nvme::vwc::present, nvme::vwc::present);
    EXPECT_EQ(id.sgls.value() & 3u, nvme::sgls::supported);
    EXPECT_EQ(id.sgls.value() & nvme::sgls::keyed, 0u) << "keys are for RDMA";
    EXPECT_NE(id.sgls.value() & nvme::sgls::offset_in_address, 0u);
    EXPECT_NE(id.sgls.value() & nvme::sgls::transport, 0u);
    EXPECT_EQ(nvme::read_nqn(id.subnqn), subsystem_nqn);
    EXPECT_EQ(id.ioccsz.value() * 16, sizeof(nvme::sqe) + setup.limits.in_capsule_bytes);
    EXPECT_EQ(id.iorcsz.value(), 1u);
    EXPECT_EQ(id.icdoff.value(), 0);
    EXPECT_EQ(id.fcatt & 1, nvme::fcatt::dynamic_controllers);
    EXPECT_EQ(id.msdbd, 1);
    EXPECT_EQ(id.ofcs.value(), nvme::ofcs::disconnect);
    EXPECT_EQ(c->max_transfer_bytes(), setup.limits.max_transfer_bytes);
    EXPECT_EQ(id.cmic,
              nvme::cmic::multi_port | nvme::cmic::multi_controller | nvme::cmic::ana_reporting);
    EXPECT_GT(id.anatt, 0);
    EXPECT_NE(id.anacap, 0);
    EXPECT_GE(id.anagrpmax.value(), id.nanagrpid.value());
    EXPECT_GT(id.nanagrpid.value(), 0u);
}

CONFORMANCE(d6_identify, fields_of_a_discovery_controller, "D6/01", "D6/fields") {
    const auto c = connect_discovery(30'000);
    const nvme::identify_controller& id = c->identity();
    EXPECT_EQ(id.cntrltype, static_cast<std::uint8_t>(nvme::controller_type::discovery));
    EXPECT_EQ(id.cntlid.value(), c->id());
    EXPECT_EQ(nvme::read_nqn(id.subnqn), nvme::discovery_nqn);
    EXPECT_EQ(id.oaes.value(), nvme::oaes::discovery_log_change);
    EXPECT_EQ(id.nn.value(), 0u);
    EXPECT_EQ(id.sqes, 0) << "no I/O queues";
    EXPECT_EQ(id.cqes, 0);
    EXPECT_NE(id.kas.value(), 0);
    EXPECT_NE(id.lpa & nvme::lpa::extended_data, 0);
}

CONFORMANCE(d6_identify, retry_delays, "D6/fields", "E/crd") {
    setup.limits.retry_delay_ms = 300;
    const auto c = connect();
    EXPECT_EQ(c->identity().crdt1.value(), 3);
    EXPECT_GE(c->identity().crdt2.value(), 3);
    EXPECT_GE(c->identity().crdt3.value(), 3);
}

}  // namespace
}  // namespace fulmar::conformance
