// Bad input with data: H2CData that was not asked for, capsules too long, digests that are wrong,
// data pointers that cannot be.
#include "suite.hpp"

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(bad_data);

namespace tcp = nvme::tcp;
using tcp::fatal_error;

std::pair<int, int> fes_fei(host::raw_session& s) {
    const auto pdus = s.await_end();
    if (!pdus) return {-1, -1};
    for (const host::raw_pdu& pdu : *pdus)
        if (const auto term = pdu.as<tcp::term_req>(tcp::pdu_type::c2h_term_req))
            return {term->fes.value(), static_cast<int>(term->fei.value())};
    return {0, 0};
}

using ends = std::pair<int, int>;
constexpr ends field(std::size_t offset) {
    return {static_cast<int>(fatal_error::invalid_header_field), static_cast<int>(offset)};
}

/// The first R2T for command `cid`.
tcp::r2t ask_of(host::raw_session& s) {
    const host::received got = s.await();
    const auto ask = got.pdu.as<tcp::r2t>(tcp::pdu_type::r2t);
    if (!ask) throw std::runtime_error("no R2T came");
    return *ask;
}

CONFORMANCE(bad_data, data_that_nobody_asked_for, "B/h2cdata", "T/term") {
    const auto c = connect();
    const bytes data = pattern(4096);
    std::uint16_t qid = 1;
    {  // no command at all
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_h2c_data({.cid = 1, .ttag = 0}, data)));
        EXPECT_EQ(fes_fei(s), field(offsetof(tcp::h2c_data, ttag)));
    }
    {  // a tag that is none
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_capsule(write_of(8, 1))));
        const tcp::r2t ask = ask_of(s);
        must(s.send(host::make_h2c_data({.cid = 1, .ttag = 0xffff}, data)));
        EXPECT_EQ(fes_fei(s), field(offsetof(tcp::h2c_data, ttag)));
        EXPECT_NE(ask.ttag.value(), 0xffff);
    }
    {  // another command's id
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_capsule(write_of(8, 1))));
        const tcp::r2t ask = ask_of(s);
        must(s.send(host::make_h2c_data({.cid = 2, .ttag = ask.ttag.value()}, data)));
        EXPECT_EQ(fes_fei(s), field(offsetof(tcp::h2c_data, cccid)));
    }
    {  // the data of a command that is over
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_capsule(write_of(8, 1))));
        const tcp::r2t ask = ask_of(s);
        const auto reply = host::make_h2c_data({.cid = 1, .ttag = ask.ttag.value()}, data);
        must(s.send(reply));
        EXPECT_STATUS(must(s.collect(1)), sc::success);
        must(s.send(reply));
        EXPECT_EQ(fes_fei(s), field(offsetof(tcp::h2c_data, ttag)));
    }
    expect_alive();
}

CONFORMANCE(bad_data, data_out_of_range, "B/h2cdata", "T/term") {
    const auto c = connect();
    struct piece {
        std::uint32_t offset;
        std::uint32_t size;
        const char* what;
    };
    std::uint16_t qid = 1;
    const int range = static_cast<int>(fatal_error::data_transfer_out_of_range);
    for (const piece& one :
         {piece{512, 512, "a hole"}, piece{0, 8192, "more than was asked for"},
          piece{4096, 512, "behind the end"}, piece{0xffff'fe00, 512, "wraps"}}) {
        SCOPED_TRACE(one.what);
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_capsule(write_of(8, 1))));
        const tcp::r2t ask = ask_of(s);
        must(s.send(host::make_h2c_data({.cid = 1, .ttag = ask.ttag.value(), .offset = one.offset},
                                        pattern(one.size))));
        EXPECT_EQ(fes_fei(s).first, range);
    }
    {  // the same bytes twice
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_capsule(write_of(8, 1))));
        const tcp::r2t ask = ask_of(s);
        const auto half =
            host::make_h2c_data({.cid = 1, .ttag = ask.ttag.value(), .last = false}, pattern(2048));
        must(s.send(half));
        must(s.send(half));
        EXPECT_EQ(fes_fei(s).first, range);
    }
    expect_alive();
}

// A host that guesses the tag of an R2T that has not even left.
CONFORMANCE(bad_data, data_before_its_r2t, "B/h2cdata") {
    const auto c = connect();
    for (std::uint16_t tag = 0; tag < 40; ++tag) {
        host::raw_session s = raw_io(*c, 1);
        host::raw_bytes stream = host::make_capsule(write_of(8, 1));
        const auto data = host::make_h2c_data({.cid = 1, .ttag = tag}, pattern(4096));
        stream.insert(stream.end(), data.begin(), data.end());
        must(s.send(stream));
        EXPECT_TRUE(s.await_end().has_value()) << "nothing was asked for when it came";
    }
    expect_alive();
}

CONFORMANCE(bad_data, lengths_that_contradict_each_other, "B/h2cdata", "T/term") {
    const auto c = connect();
    std::uint16_t qid = 1;
    const auto spoil = [&](const std::function<void(host::raw_bytes&)>& how) {
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_capsule(write_of(8, 1))));
        const tcp::r2t ask = ask_of(s);
        auto pdu = host::make_h2c_data({.cid = 1, .ttag = ask.ttag.value()}, pattern(4096));
        how(pdu);
        must(s.send(pdu));
        return fes_fei(s);
    };
    EXPECT_EQ(spoil([](auto& pdu) { host::overwrite(pdu, 16, nvme::le32(512)); }),
              field(offsetof(tcp::h2c_data, datal)));
    EXPECT_EQ(spoil([](auto& pdu) { host::overwrite(pdu, 4, nvme::le32(24)); }),
              field(offsetof(tcp::common_header, plen)));
    EXPECT_EQ(spoil([](auto& pdu) { pdu[3] = std::byte{20}; }),
              field(offsetof(tcp::common_header, pdo)));
    EXPECT_EQ(spoil([](auto& pdu) { pdu[1] |= std::byte{tcp::pdu_flags::ddgstf}; }),
              field(offsetof(tcp::common_header, flags)));
    expect_alive();
}

CONFORMANCE(bad_data, more_than_max_h2c_data, "B/h2cdata", "T/term", "T/ic") {
    setup.limits.max_transfer_bytes = 64 * 1024;
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    const std::uint32_t most = s.ic_response().maxh2cdata.value();
    EXPECT_GE(most, tcp::maxh2cdata_bytes_min);
    must(s.send(host::make_capsule(write_of(128, 1))));
    const tcp::r2t ask = ask_of(s);
    must(s.send(host::make_h2c_data({.cid = 1, .ttag = ask.ttag.value()}, pattern(most + 512))));
    EXPECT_EQ(fes_fei(s).first, static_cast<int>(fatal_error::data_transfer_limit_exceeded));
}

CONFORMANCE(bad_data, in_capsule_data_too_long, "B/capsule", "T/term") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    const std::uint32_t most = c->in_capsule_bytes();
    const auto write = [&](std::uint32_t size) {
        return host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = size / 512}), 1,
                                          nvme::make_in_capsule_sgl(0, size)),
                                  pattern(size));
    };
    must(s.send(write(most)));
    EXPECT_STATUS(must(s.collect(1)), sc::success);
    must(s.send(write(most + 512)));
    EXPECT_EQ(fes_fei(s), field(offsetof(tcp::common_header, plen)));
    expect_alive();
}

CONFORMANCE(bad_data, more_commands_than_the_queue, "B/capsule") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 8);
    target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    for (std::uint16_t cid = 0; cid < 32; ++cid) {
        const auto pdu = host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), cid));
        if (!s.send(pdu)) break;
    }
    EXPECT_TRUE(s.await_end().has_value());
    must(c->keep_alive());
    target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
    expect_alive();
}

// The specification leaves it to the controller how far it looks for a conflict: both are answered.
CONFORMANCE(bad_data, a_command_id_twice, "B/capsule") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 8);
    target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    const auto pdu = host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 3));
    must(s.send(pdu));
    must(s.send(pdu));
    ASSERT_TRUE(
        testing::eventually([&] { return target().count("fulmar_parked_requests_total") == 2; }));
    target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
    for (int i = 0; i < 2; ++i) {
        const nvme::status status = must(s.collect(3)).status();
        EXPECT_TRUE(nvme::is_success(status) || status.is(sc::command_id_conflict));
    }
    EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 4))), sc::success);
}

// --- data pointers -----------------------------------------------------------------------------

CONFORMANCE(bad_data, data_pointers_that_are_no_sgl, "B/sgl", "D3/sgl") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    host::raw_session admin = raw_admin();
    for (const nvme::psdt how : {nvme::psdt::prp, nvme::psdt::invalid}) {
        nvme::sqe read =
            raw_sqe(io_sqe(nvme::io_opcode::read, {}), 1, nvme::make_transport_sgl(512));
        read.flags = nvme::make_flags(nvme::fuse::none, how);
        EXPECT_STATUS(must(s.run(read)), sc::invalid_field.no_retry());
        nvme::sqe identify = raw_sqe(identify_sqe(1), 1, nvme::make_transport_sgl(4096));
        identify.flags = read.flags;
        EXPECT_STATUS(must(admin.run(identify)), sc::invalid_field.no_retry());
    }
}

CONFORMANCE(bad_data, sgl_types_that_are_not_for_tcp, "B/sgl", "D3/sgl") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    host::raw_session admin = raw_admin();
    for (unsigned identifier = 0; identifier <= 0xff; ++identifier) {
        if (identifier == nvme::sgl_in_capsule || identifier == nvme::sgl_transport) continue;
        const auto pointer = nvme::make_sgl(static_cast<std::uint8_t>(identifier), 0, 4096);
        for (const nvme::io_opcode opcode : {nvme::io_opcode::read, nvme::io_opcode::write})
            EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(opcode, {.blocks = 8}), 1, pointer))),
                          sc::sgl_type_invalid.no_retry())
                << identifier;
        EXPECT_STATUS(must(admin.run(raw_sqe(identify_sqe(1), 1, pointer))),
                      sc::sgl_type_invalid.no_retry())
            << identifier;
    }
}

CONFORMANCE(bad_data, sgl_lengths, "B/sgl", "D3/sgl") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    const bytes data = pattern(4096);
    for (const std::uint32_t size : {0u, 1u, 512u, 4095u, 4097u, 8192u, 0xffff'ffffu}) {
        const auto pointer = nvme::make_transport_sgl(size);
        for (const nvme::io_opcode opcode : {nvme::io_opcode::read, nvme::io_opcode::write})
            EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(opcode, {.blocks = 8}), 1, pointer))),
                          sc::data_sgl_length_invalid.no_retry())
                << size;
    }
    // What is in the capsule, and what its descriptor says of it.
    for (const std::uint32_t size : {0u, 512u, 4095u, 4097u, 8192u}) {
        const nvme::sqe write = raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 8}), 1,
                                        nvme::make_in_capsule_sgl(0, size));
        EXPECT_STATUS(must(s.run(write, data)), sc::data_sgl_length_invalid.no_retry()) << size;
    }
    const nvme::sqe elsewhere = raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 8}), 1,
                                        nvme::make_in_capsule_sgl(512, 4096));
    EXPECT_STATUS(must(s.run(elsewhere, data)), sc::sgl_offset_invalid.no_retry());
    const nvme::sqe both =
        raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 8}), 1, nvme::make_transport_sgl(4096));
    EXPECT_STATUS(must(s.run(both, data)), sc::data_sgl_length_invalid.no_retry());
    const nvme::sqe none = raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 8}), 1,
                                   nvme::make_in_capsule_sgl(0, 4096));
    EXPECT_STATUS(must(s.run(none)), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(must(s.run(none, data)), sc::success);
}

// A read whose data pointer says "in this capsule": the capsule of a command goes one way only.
CONFORMANCE(bad_data, reads_into_the_capsule, "B/sgl", "D3/sgl") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    const bytes data = pattern(4096);
    for (const std::uint32_t nsid : {1u, 2u}) {
        const std::uint32_t blocks = nsid == 1 ? 8 : 1;
        const nvme::sqe read = raw_sqe(io_sqe(nvme::io_opcode::read, {.blocks = blocks}, nsid), 1,
                                       nvme::make_in_capsule_sgl(0, 4096));
        EXPECT_STATUS(must(s.run(read, data)), sc::sgl_type_invalid.no_retry());
    }
    host::raw_session admin = raw_admin();
    const nvme::sqe identify = raw_sqe(identify_sqe(1), 1, nvme::make_in_capsule_sgl(0, 4096));
    EXPECT_STATUS(must(admin.run(identify, data)), sc::sgl_type_invalid.no_retry());
    EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 2))), sc::success);
}

CONFORMANCE(bad_data, capsule_data_of_commands_without_any, "B/sgl") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    const bytes data = pattern(4096);
    EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 1,
                                     nvme::make_in_capsule_sgl(0, 4096)),
                             data)),
                  sc::success);
    EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(nvme::io_opcode::write_zeroes, {}), 1), data)),
                  sc::success);
    host::raw_session admin = raw_admin();
    EXPECT_STATUS(must(admin.run(raw_sqe(admin_sqe(nvme::admin_opcode::keep_alive), 1,
                                         nvme::make_in_capsule_sgl(0, 4096)),
                                 data)),
                  sc::success);
}

// --- the log -----------------------------------------------------------------------------------

CONFORMANCE(bad_data, thousands_of_offences_are_a_few_lines, "B/log") {
    ::testing::internal::CaptureStdout();
    for (int i = 0; i < 300; ++i) {
        host::raw_session s = must(host::raw_session::connect(target().endpoint()));
        must(s.send(pattern(64, static_cast<std::uint32_t>(i))));
        s.half_close();
        EXPECT_TRUE(s.await_end().has_value());
    }
    restart();
    const std::string log = ::testing::internal::GetCapturedStdout();
    EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 40) << log.substr(0, 2000);
}

}  // namespace
}  // namespace fulmar::conformance
