// D2: controller properties, reset and shutdown.
#include "suite.hpp"

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(d2_properties);

namespace reg = nvme::register_offset;
using nvme::property_size;

nvme::controller_status status_of(host::controller& c) {
    return nvme::controller_status::unpack(
        static_cast<std::uint32_t>(must(c.property_get(reg::csts, property_size::bytes_4))));
}

nvme::controller_configuration enabled() {
    return {
        .en = true, .iosqes = nvme::io_sq_entry_size_log2, .iocqes = nvme::io_cq_entry_size_log2};
}

void set_cc(host::controller& c, const nvme::controller_configuration& cc) {
    must(c.property_set(reg::cc, property_size::bytes_4, cc.pack()));
}

CONFORMANCE(d2_properties, cap, "D2/00") {
    const auto io = connect();
    const auto discovery = connect_discovery();
    for (host::controller* c : {io.get(), discovery.get()}) {
        const nvme::capabilities cap = c->capabilities();
        EXPECT_GE(cap.mqes, 1);
        EXPECT_TRUE(cap.cqr);
        EXPECT_GT(cap.to, 0);
        EXPECT_EQ(cap.css, nvme::cap_css::nvm);
        EXPECT_TRUE(cap.crwms || cap.crims);
        EXPECT_EQ(cap.mpsmin, 0);
        EXPECT_EQ(cap.dstrd, 0);
        EXPECT_FALSE(cap.nssrs || cap.bps || cap.pmrs || cap.cmbs || cap.nsss);
        EXPECT_EQ(c->identity().maxcmd.value(), cap.mqes + 1);
    }
    EXPECT_EQ(io->capabilities().mqes + 1u, setup.limits.max_queue_depth);
}

CONFORMANCE(d2_properties, vs, "D2/08") {
    for (const auto& c : {connect(), connect_discovery()}) {
        const auto vs = must(c->property_get(reg::vs, property_size::bytes_4));
        EXPECT_GE(vs, nvme::version_2_0);
        EXPECT_EQ(vs, c->identity().ver.value());
    }
}

CONFORMANCE(d2_properties, properties_of_other_transports, "D2/0C", "D2/24", "D2/38", "D2/E00") {
    const auto c = connect();
    for (const std::uint32_t offset : {reg::intms, reg::intmc, reg::aqa, reg::cmbloc, reg::cmbsz,
                                       reg::bpinfo, reg::bprsel, reg::cmbsts, reg::pmrcap}) {
        const auto get = host::make_property_get(offset, property_size::bytes_4);
        EXPECT_STATUS(run(c->admin(), {.sqe = get}), sc::invalid_field.no_retry()) << offset;
        const auto set = host::make_property_set(offset, property_size::bytes_4, 1);
        EXPECT_STATUS(run(c->admin(), {.sqe = set}), sc::invalid_field.no_retry()) << offset;
    }
    for (const std::uint32_t offset : {reg::asq, reg::acq, reg::bpmbl, reg::cmbmsc}) {
        const auto get = host::make_property_get(offset, property_size::bytes_8);
        EXPECT_STATUS(run(c->admin(), {.sqe = get}), sc::invalid_field.no_retry()) << offset;
        const auto set = host::make_property_set(offset, property_size::bytes_8, 1);
        EXPECT_STATUS(run(c->admin(), {.sqe = set}), sc::invalid_field.no_retry()) << offset;
    }
    must(c->keep_alive());
}

CONFORMANCE(d2_properties, reset_of_the_subsystem_is_not_offered, "D2/20", "D2/64") {
    const auto c = connect();
    for (const std::uint32_t offset : {reg::nssr, reg::nssd}) {
        EXPECT_EQ(must(c->property_get(offset, property_size::bytes_4)), 0u);
        const auto set = host::make_property_set(offset, property_size::bytes_4, nvme::nssr_magic);
        EXPECT_STATUS(run(c->admin(), {.sqe = set}), sc::invalid_field.no_retry());
    }
    must(c->keep_alive());
}

CONFORMANCE(d2_properties, cc_reads_back_what_was_written, "D2/14") {
    host::controller_options options = host_options();
    options.enable = false;
    const auto c = connect(options);
    EXPECT_EQ(must(c->property_get(reg::cc, property_size::bytes_4)), 0u);
    set_cc(*c, enabled());
    EXPECT_EQ(must(c->property_get(reg::cc, property_size::bytes_4)), enabled().pack());
    EXPECT_TRUE(status_of(*c).rdy);
}

CONFORMANCE(d2_properties, cc_that_cannot_be_is_fatal_until_reset, "D2/14", "D2/1C") {
    std::vector<nvme::controller_configuration> wrong(5, enabled());
    wrong[0].iosqes = 7;
    wrong[1].iocqes = 0;
    wrong[2].mps = 1;
    wrong[3].css = nvme::cc_css::all_supported;
    wrong[4].ams = 1;
    for (const nvme::controller_configuration& cc : wrong) {
        host::controller_options options = host_options();
        options.enable = false;
        const auto c = connect(options);
        set_cc(*c, cc);
        EXPECT_TRUE(status_of(*c).cfs);
        EXPECT_FALSE(status_of(*c).rdy);
        set_cc(*c, {});
        EXPECT_FALSE(status_of(*c).cfs);
        must(c->enable());
        EXPECT_EQ(must(c->active_namespaces()).size(), 2u);
    }
}

CONFORMANCE(d2_properties, csts, "D2/1C") {
    host::controller_options options = host_options();
    options.enable = false;
    const auto c = connect(options);
    EXPECT_EQ(status_of(*c), nvme::controller_status{});
    must(c->enable());
    EXPECT_EQ(status_of(*c), nvme::controller_status{.rdy = true});
    // NSSRO is write-1-to-clear, and never set.
    must(c->property_set(reg::csts, property_size::bytes_4, 0x10));
    EXPECT_EQ(status_of(*c), nvme::controller_status{.rdy = true});
}

CONFORMANCE(d2_properties, crto, "D2/68") {
    for (const auto& c : {connect(), connect_discovery()}) {
        const auto raw = must(c->property_get(reg::crto, property_size::bytes_4));
        EXPECT_GT(nvme::ready_timeouts::unpack(static_cast<std::uint32_t>(raw)).crwmt, 0);
    }
}

CONFORMANCE(d2_properties, sizes_are_those_of_the_property, "D2/size") {
    const auto c = connect();
    const auto get = [&](std::uint32_t offset, unsigned attrib) {
        nvme::sqe sqe = host::make_property_get(offset, static_cast<property_size>(attrib));
        return run(c->admin(), {.sqe = sqe});
    };
    EXPECT_STATUS(get(reg::cap, 0), sc::invalid_field.no_retry());
    EXPECT_STATUS(get(reg::vs, 1), sc::invalid_field.no_retry());
    EXPECT_STATUS(get(reg::vs, 2), sc::invalid_field.no_retry());
    EXPECT_STATUS(get(reg::vs, 7), sc::invalid_field.no_retry());
    for (const std::uint32_t offset : {0x04u, 0x09u, 0x18u, 0x5cu, 0x6cu, 0x1000u, 0xffff'fffcu})
        for (const unsigned attrib : {0u, 1u})
            EXPECT_STATUS(get(offset, attrib), sc::invalid_field.no_retry()) << offset;
    const auto wide = host::make_property_set(reg::cc, property_size::bytes_8, 0);
    EXPECT_STATUS(run(c->admin(), {.sqe = wide}), sc::invalid_field.no_retry());
    for (const std::uint32_t offset : {reg::cap, reg::vs, reg::crto, 0x18u, 0x1000u}) {
        const auto set = host::make_property_set(offset, property_size::bytes_4, 0);
        EXPECT_STATUS(run(c->admin(), {.sqe = set}), sc::invalid_field.no_retry()) << offset;
    }
    EXPECT_TRUE(status_of(*c).rdy) << "nothing of that had an effect";
}

CONFORMANCE(d2_properties, reset_ends_the_io_queues, "D2/reset") {
    const auto c = connect();
    host::queue& one = *must(c->open_io_queue(1, 4));
    host::queue& two = *must(c->open_io_queue(2, 4));
    must(c->disable());
    EXPECT_TRUE(await_end(one));
    EXPECT_TRUE(await_end(two));
    EXPECT_EQ(status_of(*c), nvme::controller_status{});
    must(c->enable());
    host::queue& again = *must(c->open_io_queue(1, 4));
    bytes block(512);
    EXPECT_STATUS(read_blocks(again, 0, block), sc::success);
}

CONFORMANCE(d2_properties, reset_of_one_controller_is_nobody_elses_business, "D2/reset") {
    const auto mine = connect();
    const auto other = connect();
    must(mine->open_io_queue(1, 4));
    host::queue& theirs = *must(other->open_io_queue(1, 4));
    must(mine->disable());
    bytes block(512);
    EXPECT_STATUS(read_blocks(theirs, 0, block), sc::success);
}

CONFORMANCE(d2_properties, shutdown_ends_the_io_queues, "D2/shutdown") {
    for (const auto kind :
         {nvme::shutdown_notification::normal, nvme::shutdown_notification::abrupt}) {
        const auto c = connect();
        host::queue& q = *must(c->open_io_queue(1, 4));
        nvme::controller_configuration off = enabled();
        off.shn = kind;
        set_cc(*c, off);
        EXPECT_TRUE(testing::eventually(
            [&] { return status_of(*c).shst == nvme::shutdown_status::complete; }));
        EXPECT_TRUE(await_end(q));
        set_cc(*c, {});
        EXPECT_TRUE(
            testing::eventually([&] { return status_of(*c) == nvme::controller_status{}; }));
        must(c->enable());
        EXPECT_TRUE(c->open_io_queue(1, 4).has_value());
    }
}

CONFORMANCE(d2_properties, a_discovery_controller_shuts_down_too, "D2/shutdown") {
    const auto c = connect_discovery();
    EXPECT_TRUE(c->shutdown().has_value());
}

CONFORMANCE(d2_properties, no_io_queue_before_enable, "D2/before") {
    host::controller_options options = host_options();
    options.enable = false;
    const auto c = connect(options);
    host::raw_session s = raw();
    host::connect_parameters p = parameters(1);
    p.cntlid = c->id();
    EXPECT_STATUS(must(s.connect_queue(p)), sc::command_sequence_error.no_retry());
    must(c->enable());
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success) << "the connection has stayed";
}

}  // namespace
}  // namespace fulmar::conformance
