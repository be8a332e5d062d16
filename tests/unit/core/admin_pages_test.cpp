#include "admin_pages.hpp"

#include "ana_layout.hpp"

#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/namespace_ids.hpp>
#include <fulmar/nvme/registers.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace fulmar::core {
namespace {

namespace sc = nvme::sc;
using nvme::cns;

namespace_description make_namespace(std::uint32_t number) {
    namespace_description n;
    n.id = {.index = number - 1, .generation = 1};
    n.uuid = nvme::derive_uuid("nqn.2024-01.test:a", number);
    n.nguid = nvme::derive_nguid("nqn.2024-01.test:a", number);
    n.geometry.block_count = 1000 * number;
    return n;
}

/// Namespaces 1, 3 and 1024; 3 is lost and inaccessible.
subsystem_description make_subsystem() {
    subsystem_description s;
    s.nqn = "nqn.2024-01.test:a";
    s.serial = "S1";
    s.model = "Fulmar";
    for (const std::uint32_t number : {1u, 3u, 1024u})
        s.namespaces.push_back(make_namespace(number));
    s.namespaces[1].ready = false;
    s.namespaces[1].ana = ana_state::inaccessible;
    return s;
}

struct identified {
    nvme::status status;
    identify_page page{};

    template <typename T>
    [[nodiscard]] T as() const {
        return *nvme::read_wire<T>(page);
    }
    [[nodiscard]] bool all_zero() const {
        return std::all_of(page.begin(), page.end(), [](std::byte b) { return b == std::byte{0}; });
    }
};

identified ask(const subsystem_description& s, const nvme::identify_command& what,
               std::uint32_t number = 0) {
    static const target_options options;
    nvme::sqe command{};
    command.nsid = number;
    nvme::encode_identify(command, what);
    identified answer;
    answer.status = fill_identify({s, options, cntlid(5)}, command, answer.page);
    return answer;
}

identified ask(const subsystem_description& s, cns which, std::uint32_t number = 0) {
    return ask(s, {.cns = static_cast<std::uint8_t>(which)}, number);
}

// --- Identify Controller -----------------------------------------------------------------------

TEST(identify_controller, has_what_a_fabrics_host_insists_on) {
    const subsystem_description s = make_subsystem();
    const identified answer = ask(s, cns::controller);
    ASSERT_TRUE(nvme::is_success(answer.status));
    const auto c = answer.as<nvme::identify_controller>();
    const target_options defaults;

    EXPECT_EQ(c.cntlid.value(), 5);
    EXPECT_EQ(c.ver.value(), nvme::version_2_0);
    EXPECT_EQ(c.cntrltype, static_cast<std::uint8_t>(nvme::controller_type::io));
    EXPECT_NE(c.kas.value(), 0);
    EXPECT_EQ(c.sqes, 0x66);
    EXPECT_EQ(c.cqes, 0x44);
    EXPECT_EQ(c.maxcmd.value(), defaults.max_queue_depth);
    EXPECT_EQ(c.ioccsz.value() * 16, 64 + defaults.in_capsule_bytes);
    EXPECT_EQ(c.iorcsz.value(), 1u);
    EXPECT_EQ(c.icdoff.value(), 0);
    EXPECT_EQ(c.sgls.value() & 3u, nvme::sgls::supported);
    EXPECT_EQ(c.sgls.value() & nvme::sgls::keyed, 0u);
    EXPECT_EQ(c.ofcs.value(), nvme::ofcs::disconnect);
    EXPECT_EQ(nvme::field_text(c.subnqn), s.nqn);
    EXPECT_EQ(nvme::field_text(c.sn), "S1");
    EXPECT_EQ(nvme::field_text(c.mn), "Fulmar");
    EXPECT_EQ(c.sn[19], ' ');
    EXPECT_EQ(std::size_t{1} << c.mdts, defaults.max_transfer_bytes / 4096);
}

// Linux computes the size of its ANA buffer from these, and refuses ANA when it exceeds MDTS.
TEST(identify_controller, ana_fields_agree_with_each_other) {
    const auto c = ask(make_subsystem(), cns::controller).as<nvme::identify_controller>();
    EXPECT_NE(c.cmic & nvme::cmic::ana_reporting, 0);
    EXPECT_NE(c.anatt, 0);
    EXPECT_EQ(c.anagrpmax.value(), limits::max_ana_groups + limits::default_namespaces);
    EXPECT_EQ(c.nanagrpid.value(), limits::default_namespaces);
    EXPECT_LE(c.mnan.value(), c.nn.value());
    EXPECT_NE(c.mnan.value(), 0u);
    const std::size_t log = 16 + c.nanagrpid.value() * 32u + c.mnan.value() * 4u;
    EXPECT_LE(log, std::size_t{4096} << c.mdts);
}

TEST(identify_controller, transfer_sizes_round_down_to_powers_of_two) {
    const subsystem_description s = make_subsystem();
    target_options options;
    const auto mdts = [&](std::uint64_t bytes) {
        options.max_transfer_bytes = bytes;
        return make_identify_controller({s, options, cntlid(1)}).mdts;
    };
    EXPECT_EQ(mdts(1024 * 1024), 8);
    EXPECT_EQ(mdts(1023 * 1024), 7);
    EXPECT_EQ(mdts(128 * 1024), 5);
    EXPECT_NE(mdts(4096), 0) << "0 means no limit";
}

TEST(identify_controller, retry_delays_round_up_and_saturate) {
    const subsystem_description s = make_subsystem();
    target_options options;
    options.retry_delay_ms = 101;
    const auto some = make_identify_controller({s, options, cntlid(1)});
    EXPECT_EQ(some.crdt1.value(), 2);
    EXPECT_EQ(some.crdt2.value(), 4);
    EXPECT_EQ(some.crdt3.value(), 8);
    options.retry_delay_ms = 0xffff'ffff;
    EXPECT_EQ(make_identify_controller({s, options, cntlid(1)}).crdt1.value(), 0xffff);
}

TEST(identify_controller, without_in_capsule_data_the_capsule_is_the_command) {
    const subsystem_description s = make_subsystem();
    target_options options;
    options.in_capsule_bytes = 0;
    const auto c = make_identify_controller({s, options, cntlid(1)});
    EXPECT_EQ(c.ioccsz.value(), 4u);
    EXPECT_EQ(c.sgls.value() & nvme::sgls::offset_in_address, 0u);
}

TEST(identify_controller, of_discovery_is_of_its_own_type) {
    subsystem_description s = make_subsystem();
    s.discovery = true;
    const auto c = ask(s, cns::controller).as<nvme::identify_controller>();
    EXPECT_EQ(c.cntrltype, static_cast<std::uint8_t>(nvme::controller_type::discovery));
    EXPECT_EQ(c.oaes.value(), nvme::oaes::discovery_log_change);
    EXPECT_EQ(c.cmic, 0);
    EXPECT_EQ(c.nn.value(), 0u);
    EXPECT_NE(c.kas.value(), 0);
    EXPECT_NE(c.sgls.value() & 3u, 0u);
    EXPECT_NE(c.lpa & nvme::lpa::extended_data, 0);
}

// --- Identify Namespace ------------------------------------------------------------------------

TEST(identify_namespace, tells_size_format_and_identity) {
    const subsystem_description s = make_subsystem();
    const auto n = ask(s, cns::namespace_data, 1).as<nvme::identify_namespace>();
    EXPECT_EQ(n.nsze.value(), 1000u);
    EXPECT_EQ(n.ncap.value(), 1000u);
    EXPECT_EQ(n.nuse.value(), 1000u);
    EXPECT_EQ(n.lbaf[0].lbads, 9);
    EXPECT_EQ(n.nlbaf, 0);
    EXPECT_EQ(n.nmic, nvme::nmic::shared);
    EXPECT_EQ(n.anagrpid.value(), 1u);
    EXPECT_EQ(n.nguid, s.namespaces[0].nguid.bytes);
    EXPECT_EQ(n.noiob.value(), 0) << "a boundary that hosts split at";
    EXPECT_EQ(n.nsfeat, nvme::nsfeat::atomic_fields) << "for NACWU: the others say one block";
    EXPECT_EQ(n.nawun.value() + n.nawupf.value(), 0);
    EXPECT_EQ(n.nacwu.value(), limits::max_fused_bytes / 512 - 1);
}

// ncap = 0 would tell Linux to delete the disk.
TEST(identify_namespace, a_lost_one_keeps_its_last_good_copy) {
    const subsystem_description s = make_subsystem();
    const auto n = ask(s, cns::namespace_data, 3).as<nvme::identify_namespace>();
    EXPECT_EQ(n.ncap.value(), 3000u);
    EXPECT_EQ(n.nuse.value(), 0u) << "inaccessible";
    const auto i = ask(s, cns::independent_namespace, 3).as<nvme::identify_independent_namespace>();
    EXPECT_EQ(i.nstat, 0);
    EXPECT_EQ(i.anagrpid.value(), 3u);
    const auto ready =
        ask(s, cns::independent_namespace, 1).as<nvme::identify_independent_namespace>();
    EXPECT_EQ(ready.nstat, nvme::nstat::ready);
}

TEST(identify_namespace, follows_the_geometry) {
    namespace_description n = make_namespace(1);
    n.geometry = {.block_bytes = 4096,
                  .block_count = 8,
                  .volatile_write_cache = true,
                  .deallocate = true,
                  .deallocated_reads_zero = true,
                  .optimal_io_blocks = 16};
    n.protection = nvme::write_protection::until_power_cycle;
    const auto page = make_identify_namespace(n);
    EXPECT_EQ(page.lbaf[0].lbads, 12);
    EXPECT_EQ(page.nsfeat, nvme::nsfeat::optimal_io);
    EXPECT_EQ(page.npwg.value(), 15) << "0-based";
    EXPECT_EQ(page.dlfeat, nvme::dlfeat::reads_zero);
    EXPECT_EQ(page.nsattr, nvme::nsattr::write_protected);
    EXPECT_EQ(make_independent_namespace(n).nsfeat, 0);
    n.geometry.volatile_write_cache = false;
    EXPECT_EQ(make_independent_namespace(n).nsfeat,
              nvme::independent_nsfeat::volatile_write_cache_absent);
}

TEST(identify_namespace, tells_what_is_best_for_the_storage) {
    namespace_description n = make_namespace(1);
    n.geometry = {.block_count = 800,
                  .deallocate = true,
                  .write_granularity_blocks = 8,
                  .deallocate_granularity_blocks = 2048};
    auto page = make_identify_namespace(n);
    EXPECT_EQ(page.nsfeat, nvme::nsfeat::optimal_io);
    EXPECT_EQ(page.npwg.value(), 7);
    EXPECT_EQ(page.npwa.value(), 7);
    EXPECT_EQ(page.npdg.value(), 2047);
    EXPECT_EQ(page.npda.value(), 2047);
    EXPECT_EQ(page.nows.value(), 0) << "unknown is one block";
    n.geometry.optimal_io_blocks = 16;
    n.geometry.optimal_write_blocks = 64;
    page = make_identify_namespace(n);
    EXPECT_EQ(page.npwg.value(), 7) << "what is known goes first";
    EXPECT_EQ(page.nows.value(), 63);
    n.geometry.deallocate_granularity_blocks = 1u << 20;
    page = make_identify_namespace(n);
    EXPECT_EQ(page.npdg.value(), 0xffff);
}

TEST(identify_namespace, promises_one_block_whole_and_more_only_where_the_device_does) {
    namespace_description n = make_namespace(1);
    auto page = make_identify_namespace(n);
    EXPECT_EQ(page.nsfeat & nvme::nsfeat::atomic_fields, 0) << "as the controller says: one";
    EXPECT_EQ(page.nawupf.value(), 0);
    n.geometry.atomic_blocks = 64;
    n.geometry.power_fail_atomic_blocks = 8;
    n.geometry.write_granularity_blocks = 8;
    page = make_identify_namespace(n);
    EXPECT_EQ(page.nsfeat, nvme::nsfeat::atomic_fields | nvme::nsfeat::optimal_io);
    EXPECT_EQ(page.nawun.value(), 63) << "0-based";
    EXPECT_EQ(page.nawupf.value(), 7);
    EXPECT_EQ(page.nabsn.value(), 0) << "without boundaries";
    EXPECT_EQ(page.nabspf.value(), 0);
    EXPECT_EQ(page.nabo.value(), 0);
    n.geometry.power_fail_atomic_blocks = 1;
    page = make_identify_namespace(n);
    EXPECT_EQ(page.nawupf.value(), 0) << "and one after a power failure";
}

TEST(identify_namespace, inactive_gives_zeroes_and_impossible_gives_an_error) {
    const subsystem_description s = make_subsystem();
    for (const cns which :
         {cns::namespace_data, cns::command_set_namespace, cns::independent_namespace}) {
        const identified inactive = ask(s, which, 2);
        EXPECT_TRUE(nvme::is_success(inactive.status));
        EXPECT_TRUE(inactive.all_zero());
        for (const std::uint32_t number : {0u, 1025u, 0xffff'fffeu, 0xffff'ffffu})
            EXPECT_EQ(ask(s, which, number).status, sc::invalid_namespace_or_format.no_retry());
    }
}

TEST(identify_namespace, descriptors_name_uuid_nguid_and_command_set) {
    const subsystem_description s = make_subsystem();
    const identified answer = ask(s, cns::namespace_descriptors, 1024);
    const nvme::namespace_ids ids = nvme::read_namespace_ids(answer.page);
    EXPECT_EQ(ids.the_uuid, s.namespaces[2].uuid);
    EXPECT_EQ(ids.the_nguid, s.namespaces[2].nguid);
    EXPECT_TRUE(ids.the_eui64.is_nil());
    EXPECT_EQ(ids.command_set, nvme::csi::nvm);
    EXPECT_EQ(ask(s, cns::namespace_descriptors, 2).status,
              sc::invalid_namespace_or_format.no_retry());
}

// --- lists and the rest ------------------------------------------------------------------------

std::vector<std::uint32_t> numbers(const identified& answer) {
    std::vector<std::uint32_t> out;
    for (const nvme::le32& n : answer.as<nvme::namespace_list>().nsid)
        if (n.value() != 0) out.push_back(n.value());
    return out;
}

TEST(identify_lists, hold_the_namespaces_above_the_one_named) {
    const subsystem_description s = make_subsystem();
    using list = std::vector<std::uint32_t>;
    for (const cns which : {cns::active_namespaces, cns::command_set_active_namespaces}) {
        EXPECT_EQ(numbers(ask(s, which, 0)), (list{1, 3, 1024})) << "lost ones too";
        EXPECT_EQ(numbers(ask(s, which, 1)), (list{3, 1024}));
        EXPECT_EQ(numbers(ask(s, which, 1024)), list{});
        EXPECT_EQ(numbers(ask(s, which, 0xffff'fffd)), list{});
        EXPECT_EQ(ask(s, which, 0xffff'fffe).status, sc::invalid_namespace_or_format.no_retry());
        EXPECT_EQ(ask(s, which, 0xffff'ffff).status, sc::invalid_namespace_or_format.no_retry());
    }
}

/// A subsystem that asked for as many namespaces as there can be, and has them.
subsystem_description make_largest() {
    subsystem_description s = make_subsystem();
    s.namespaces.clear();
    s.namespace_limit = limits::max_namespaces;
    for (std::uint32_t n = 1; n <= limits::max_namespaces; ++n)
        s.namespaces.push_back(make_namespace(n));
    return s;
}

TEST(identify_lists, name_every_namespace_page_by_page) {
    const subsystem_description s = make_largest();
    std::vector<std::uint32_t> all;
    std::vector<std::uint32_t> page;
    while (!(page = numbers(ask(s, cns::active_namespaces, all.empty() ? 0 : all.back()))).empty())
        all.insert(all.end(), page.begin(), page.end());
    ASSERT_EQ(all.size(), limits::max_namespaces);
    for (std::uint32_t i = 0; i < limits::max_namespaces; ++i) ASSERT_EQ(all[i], i + 1);
}

TEST(identify_controller, tells_how_many_namespaces_the_subsystem_asked_for) {
    const subsystem_description s = make_largest();
    const auto c = ask(s, cns::controller).as<nvme::identify_controller>();
    EXPECT_EQ(c.nn.value(), limits::max_namespaces);
    EXPECT_EQ(c.mnan.value(), limits::max_namespaces);
    EXPECT_EQ(c.anagrpmax.value(), limits::max_ana_groups + limits::max_namespaces);
    EXPECT_EQ(c.nanagrpid.value(), limits::max_namespaces);
    const std::size_t log = 16 + c.nanagrpid.value() * 32u + c.mnan.value() * 4u;
    EXPECT_EQ(log, limits::ana_log_bytes(limits::max_namespaces));
    EXPECT_LE(log, std::size_t{4096} << c.mdts);
    EXPECT_EQ(ask(s, cns::namespace_data, limits::max_namespaces + 1).status,
              sc::invalid_namespace_or_format.no_retry());
    EXPECT_FALSE(ask(s, cns::namespace_data, limits::max_namespaces).all_zero());
}

TEST(identify, knows_one_command_set) {
    const subsystem_description s = make_subsystem();
    for (const cns which : {cns::command_set_namespace, cns::command_set_controller,
                            cns::command_set_active_namespaces}) {
        const auto raw = static_cast<std::uint8_t>(which);
        EXPECT_TRUE(nvme::is_success(ask(s, {.cns = raw, .csi = 0}, 1).status));
        EXPECT_EQ(ask(s, {.cns = raw, .csi = 2}, 1).status, sc::invalid_command_set.no_retry());
    }
    const auto raw = static_cast<std::uint8_t>(cns::command_set_combinations);
    const identified combinations = ask(s, {.cns = raw, .cntid = 0xffff});
    EXPECT_EQ(combinations.as<nvme::command_set_combination_list>().combination[0].value(), 1u);
    EXPECT_TRUE(nvme::is_success(ask(s, {.cns = raw, .cntid = 5}).status));
    EXPECT_EQ(ask(s, {.cns = raw, .cntid = 6}).status, sc::invalid_field.no_retry());
}

TEST(identify, refuses_every_other_cns) {
    const std::set<std::uint8_t> served{0, 1, 2, 3, 5, 6, 7, 8, 0x1c};
    subsystem_description s = make_subsystem();
    for (unsigned raw = 0; raw < 256; ++raw) {
        const identified answer =
            ask(s, {.cns = static_cast<std::uint8_t>(raw), .cntid = 0xffff}, 1);
        EXPECT_EQ(nvme::is_success(answer.status), served.contains(static_cast<std::uint8_t>(raw)))
            << raw;
        if (!nvme::is_success(answer.status)) {
            EXPECT_EQ(answer.status, sc::invalid_field.no_retry()) << raw;
        }
    }
    s.discovery = true;
    for (unsigned raw = 0; raw < 256; ++raw)
        EXPECT_EQ(nvme::is_success(ask(s, {.cns = static_cast<std::uint8_t>(raw)}).status),
                  raw == 1);
}

// --- log pages ---------------------------------------------------------------------------------

nvme::status check(nvme::get_log_page wanted, std::uint32_t number = nvme::nsid_broadcast,
                   bool discovery = false) {
    subsystem_description s = make_subsystem();
    s.discovery = discovery;
    return check_log_request(wanted, number, s);
}

TEST(log_request, knows_its_pages) {
    const std::set<std::uint8_t> io{0x00, 0x01, 0x02, 0x03, 0x04, 0x05,
                                    0x0c, 0x12, 0x13, 0x1e, 0x80};
    const std::set<std::uint8_t> discovery{0x00, 0x12, 0x13, 0x70};
    const auto listed_io = make_supported_log_pages(false);
    const auto listed_discovery = make_supported_log_pages(true);
    for (unsigned raw = 0; raw < 256; ++raw) {
        const auto lid = static_cast<std::uint8_t>(raw);
        const nvme::status unknown = sc::invalid_log_page.no_retry();
        EXPECT_EQ(check({.lid = lid}), io.contains(lid) ? sc::success : unknown) << raw;
        EXPECT_EQ(check({.lid = lid}, 0, true), discovery.contains(lid) ? sc::success : unknown)
            << raw;
        EXPECT_EQ(listed_io.lid[raw].value(), io.contains(lid) ? 1u : 0u);
        EXPECT_EQ(listed_discovery.lid[raw].value(), discovery.contains(lid) ? 1u : 0u);
    }
}

TEST(log_request, offsets_are_of_dwords_and_lie_within_the_page) {
    EXPECT_EQ(check({.lid = 2, .offset_bytes = 512}), sc::success);
    EXPECT_EQ(check({.lid = 2, .offset_bytes = 516}), sc::invalid_field.no_retry());
    EXPECT_EQ(check({.lid = 2, .offset_bytes = 2}), sc::invalid_field.no_retry());
    EXPECT_EQ(check({.lid = 2, .offset_bytes = ~std::uint64_t{3}}), sc::invalid_field.no_retry());
    EXPECT_EQ(check({.lid = 0x0c, .offset_is_index = true}), sc::invalid_field.no_retry());
}

TEST(log_request, pages_belong_to_the_controller) {
    EXPECT_EQ(check({.lid = 2}, 0), sc::success);
    EXPECT_EQ(check({.lid = 2}, 1), sc::invalid_field.no_retry());
    EXPECT_EQ(check({.lid = 2}, 1025), sc::invalid_namespace_or_format.no_retry());
}

TEST(log_request, effects_exist_for_one_command_set) {
    EXPECT_EQ(check({.lid = 5, .csi = 0}), sc::success);
    EXPECT_EQ(check({.lid = 5, .csi = 2}), sc::invalid_log_page.no_retry());
    EXPECT_EQ(check({.lid = 2, .csi = 2}), sc::success) << "means nothing to other pages";
}

TEST(log_pages, effects_mark_what_changes_blocks) {
    const auto page = make_command_effects();
    namespace effect = nvme::command_effect;
    EXPECT_EQ(page.admin[0x06].value(), effect::supported);
    EXPECT_EQ(page.admin[0x0d].value(), 0u);
    EXPECT_EQ(page.io[0x01].value(), effect::supported | effect::content_change);
    EXPECT_EQ(page.io[0x02].value(), effect::supported);
    EXPECT_EQ(page.io[0x0c].value(), effect::supported);
    EXPECT_EQ(page.io[0x19].value(), effect::supported | effect::content_change);
    EXPECT_EQ(page.io[0x04].value(), effect::supported | effect::content_change);
    EXPECT_EQ(page.io[0x1d].value(), 0u) << "I/O Management Send is not there";
    const auto listed = std::count_if(page.admin.begin(), page.admin.end(),
                                      [](const nvme::le32& e) { return e.value() != 0; });
    EXPECT_EQ(static_cast<std::size_t>(listed), admin_commands.size());
}

TEST(log_pages, data_units_count_begun_thousands_of_sectors) {
    const auto units = [](std::uint64_t bytes) {
        return make_smart_log({.bytes_read = bytes}).data_units_read.low.value();
    };
    EXPECT_EQ(units(0), 0u);
    EXPECT_EQ(units(1), 1u);
    EXPECT_EQ(units(512'000), 1u);
    EXPECT_EQ(units(512'001), 2u);
    EXPECT_EQ(units(~std::uint64_t{0}), ~std::uint64_t{0} / 512'000 + 1);
    const auto page = make_smart_log({.reads = 1, .writes = 2, .error_entries = 3, .age_hours = 4});
    EXPECT_EQ(page.host_reads.low.value(), 1u);
    EXPECT_EQ(page.host_writes.low.value(), 2u);
    EXPECT_EQ(page.error_log_entries.low.value(), 3u);
    EXPECT_EQ(page.power_on_hours.low.value(), 4u);
    EXPECT_EQ(page.critical_warning, 0);
    EXPECT_EQ(page.available_spare_percent, 100);
    const auto ill = make_smart_log(
        {.media_errors = 2,
         .health = {.critical_warning = nvme::critical_warning::temperature, .media_errors = 3}});
    EXPECT_EQ(ill.critical_warning, nvme::critical_warning::temperature);
    EXPECT_EQ(ill.media_errors.low.value(), 5u) << "what hosts were told, and what drives tell";
}

TEST(log_pages, changed_namespaces_end_in_zeroes_or_say_many) {
    const std::vector<std::uint32_t> changed{2, 9};
    const auto page = make_changed_namespaces(changed, false);
    EXPECT_EQ(page.nsid[0].value(), 2u);
    EXPECT_EQ(page.nsid[1].value(), 9u);
    EXPECT_EQ(page.nsid[2].value(), 0u);
    const auto many = make_changed_namespaces(changed, true);
    EXPECT_EQ(many.nsid[0].value(), 0xffff'ffffu);
    EXPECT_EQ(many.nsid[1].value(), 0u);
    EXPECT_EQ(make_changed_namespaces(std::vector<std::uint32_t>(1025, 1), false).nsid[0].value(),
              0xffff'ffffu);
}

// --- ANA ---------------------------------------------------------------------------------------

// The log of a host that has come by a listener which no group names.
struct read_log {
    read_log(const subsystem_description& of, bool groups_only, std::uint16_t column = 0)
        : log(of, column, changes, groups_only) {}
    static ana_changes seven_changes() {
        ana_changes out;
        for (int i = 0; i < 7; ++i) out.begin();
        return out;
    }
    ana_changes changes = seven_changes();
    ana_log log;
};

std::vector<std::byte> whole(const ana_log& log) {
    std::vector<std::byte> bytes(log.size_bytes());
    log.copy(0, bytes);
    return bytes;
}

TEST(ana_log, lists_one_group_per_namespace) {
    const subsystem_description s = make_subsystem();
    const std::vector<std::byte> bytes = whole(read_log(s, false).log);
    ASSERT_EQ(bytes.size(), 16u + 3 * 36);
    const auto header = *nvme::read_wire<nvme::ana_log_header>(bytes);
    EXPECT_EQ(header.change_count.value(), 7u);
    EXPECT_EQ(header.groups.value(), 3u);
    const std::array expected{std::pair{1u, 1}, std::pair{3u, 3}, std::pair{1024u, 1}};
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto rest = std::span(bytes).subspan(16 + i * 36);
        const auto group = *nvme::read_wire<nvme::ana_group_descriptor>(rest);
        EXPECT_EQ(group.group_id.value(), expected[i].first);
        EXPECT_EQ(group.nsids.value(), 1u);
        EXPECT_EQ(group.state, expected[i].second);
        EXPECT_EQ(nvme::read_wire<nvme::le32>(rest.subspan(32))->value(), expected[i].first);
    }
}

TEST(ana_log, has_room_for_as_many_as_there_can_be) {
    const subsystem_description s = make_largest();
    const std::vector<std::byte> bytes = whole(read_log(s, false).log);
    ASSERT_EQ(bytes.size(), limits::ana_log_bytes(limits::max_namespaces));
    EXPECT_EQ(nvme::read_wire<nvme::ana_log_header>(bytes)->groups.value(), limits::max_namespaces);
    EXPECT_EQ(nvme::read_wire<nvme::le32>(std::span(bytes).last(4))->value(),
              limits::max_namespaces);
}

TEST(ana_log, without_namespaces_is_shorter) {
    const subsystem_description s = make_subsystem();
    const std::vector<std::byte> bytes = whole(read_log(s, true).log);
    ASSERT_EQ(bytes.size(), 16u + 3 * 32);
    const auto last = *nvme::read_wire<nvme::ana_group_descriptor>(std::span(bytes).subspan(80));
    EXPECT_EQ(last.group_id.value(), 1024u);
    EXPECT_EQ(last.nsids.value(), 0u);
}

// However a host cuts the page, it gets the same bytes, and zeroes behind the end.
TEST(ana_log, reads_the_same_in_any_pieces) {
    const subsystem_description s = make_subsystem();
    for (const bool groups_only : {false, true}) {
        const read_log read(s, groups_only);
        const ana_log& log = read.log;
        std::vector<std::byte> expected = whole(log);
        expected.resize(expected.size() + 64);
        for (std::size_t offset = 0; offset < expected.size(); offset += 4) {
            for (std::size_t size = 4; offset + size <= expected.size(); size += 4) {
                std::vector<std::byte> piece(size, std::byte{0xee});
                log.copy(offset, piece);
                ASSERT_EQ(std::memcmp(piece.data(), expected.data() + offset, size), 0)
                    << offset << '+' << size;
            }
        }
    }
}

// Two groups in which namespaces lie crosswise, and one namespace that is in none.
subsystem_description make_grouped() {
    subsystem_description s;
    for (std::uint32_t i = 0; i < 5; ++i) {
        namespace_description& n = s.namespaces.emplace_back();
        n.id = {.index = i, .generation = 1};
        n.group = i == 4 ? 0 : 1 + i % 2;
    }
    lay_out_ana({{.id = 2, .state = ana_state::inaccessible},
                 {.id = 1, .listeners = {{"b", ana_state::non_optimized}}},
                 {.id = 9, .listeners = {{"a", ana_state::change}}}},
                s);
    return s;
}

using listed_groups = std::vector<std::tuple<std::uint32_t, int, std::vector<std::uint32_t>>>;

listed_groups groups_in(std::span<const std::byte> bytes) {
    listed_groups out;
    const auto header = *nvme::read_wire<nvme::ana_log_header>(bytes);
    std::size_t at = sizeof header;
    for (unsigned i = 0; i < header.groups.value(); ++i) {
        const auto group = *nvme::read_wire<nvme::ana_group_descriptor>(bytes.subspan(at));
        at += sizeof group;
        std::vector<std::uint32_t> nsids;
        for (std::uint32_t n = 0; n < group.nsids.value(); ++n, at += 4)
            nsids.push_back(nvme::read_wire<nvme::le32>(bytes.subspan(at))->value());
        out.emplace_back(group.group_id.value(), group.state, nsids);
    }
    EXPECT_EQ(at, bytes.size());
    return out;
}

TEST(ana_log, lists_groups_with_their_namespaces_as_the_listener_has_them) {
    const subsystem_description s = make_grouped();
    const std::uint32_t alone = limits::max_ana_groups + 5;
    EXPECT_EQ(s.ana_listeners, (std::vector<std::string>{"a", "b"}));
    const listed_groups by_b{{1, 2, {1, 3}}, {2, 3, {2, 4}}, {alone, 1, {5}}};
    EXPECT_EQ(groups_in(whole(read_log(s, false, s.ana_column("b")).log)), by_b);
    for (const char* other : {"a", "c"}) {  // group 9 has no namespace, and is not told of
        const listed_groups expected{{1, 1, {1, 3}}, {2, 3, {2, 4}}, {alone, 1, {5}}};
        EXPECT_EQ(groups_in(whole(read_log(s, false, s.ana_column(other)).log)), expected);
    }
    const listed_groups short_form{{1, 2, {}}, {2, 3, {}}, {alone, 1, {}}};
    EXPECT_EQ(groups_in(whole(read_log(s, true, s.ana_column("b")).log)), short_form);
}

TEST(ana_log, leaves_out_of_a_group_what_its_host_does_not_see) {
    const subsystem_description s = make_grouped();
    hidden_namespaces hidden(s.namespace_limit);
    for (const std::uint32_t number : {1u, 2u, 4u}) hidden.set(number, true);
    const ana_changes changes;
    const ana_log log(seen_namespaces(s, hidden), 0, changes, false);
    const listed_groups expected{{1, 1, {3}}, {limits::max_ana_groups + 5, 1, {5}}};
    EXPECT_EQ(groups_in(whole(log)), expected);
}

TEST(ana_log, of_groups_reads_the_same_in_any_pieces) {
    const subsystem_description s = make_grouped();
    const read_log read(s, false);
    std::vector<std::byte> expected = whole(read.log);
    expected.resize(expected.size() + 64);
    for (std::size_t offset = 0; offset < expected.size(); offset += 4) {
        for (std::size_t size = 4; offset + size <= expected.size(); size += 4) {
            std::vector<std::byte> piece(size, std::byte{0xee});
            read.log.copy(offset, piece);
            ASSERT_EQ(std::memcmp(piece.data(), expected.data() + offset, size), 0)
                << offset << '+' << size;
        }
    }
}

TEST(ana_layout, tells_whether_hosts_would_notice) {
    const subsystem_description s = make_grouped();
    EXPECT_TRUE(same_ana(s, make_grouped()));
    subsystem_description other = make_grouped();
    other.namespaces[4].ana = ana_state::change;
    EXPECT_FALSE(same_ana(s, other));
    other = make_grouped();
    other.namespaces[0].ana_paths = nullptr;
    EXPECT_FALSE(same_ana(s, other));
    other = make_grouped();
    other.namespaces[0].group = 2;
    EXPECT_FALSE(same_ana(s, other));
    other = make_grouped();
    other.namespaces.pop_back();
    EXPECT_FALSE(same_ana(s, other));
}

TEST(ana_changes, count_each_group_for_itself) {
    ana_changes c;
    EXPECT_EQ(c.of_log(), 0u);
    EXPECT_EQ(c.of_group(7), 1u) << "never 0, which would say that nobody counts";
    c.begin();
    c.note(7);
    EXPECT_EQ(c.of_log(), 1u);
    EXPECT_EQ(c.of_group(7), 2u);
    EXPECT_EQ(c.of_group(8), 1u);
    c.begin();
    c.take_back();
    EXPECT_EQ(c.of_log(), 1u);
    c.begin();
    c.note(8);
    EXPECT_EQ(c.of_group(7), 2u);
    EXPECT_GT(c.of_group(8), 1u);
    c.forget();
    EXPECT_EQ(c.of_log(), 0u);
    EXPECT_EQ(c.of_group(8), 1u);
}

TEST(ana_log, of_an_empty_subsystem_is_a_header) {
    subsystem_description s = make_subsystem();
    s.namespaces.clear();
    EXPECT_EQ(whole(read_log(s, false).log).size(), sizeof(nvme::ana_log_header));
}

}  // namespace
}  // namespace fulmar::core
