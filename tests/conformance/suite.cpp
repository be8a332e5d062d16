#include "suite.hpp"

#include <fulmar/host/deadline.hpp>

#include <ostream>
#include <thread>

namespace fulmar::nvme {

void PrintTo(const status& s, std::ostream* to) {
    *to << host::text_of(s);
    if (s.crd != 0) *to << " CRD " << int{s.crd};
    if (s.more) *to << " M";
}

void PrintTo(const async_event& e, std::ostream* to) {
    *to << "type " << static_cast<int>(e.type) << " info " << int{e.info} << " page "
        << int{e.log_page};
}

}  // namespace fulmar::nvme

namespace fulmar::conformance {

namespace {

constexpr duration patience = std::chrono::seconds(15);

core::device_spec ram(std::string name, std::uint32_t block_bytes) {
    return {.name = std::move(name),
            .type = "ram",
            .size_bytes = namespace_bytes,
            .block_bytes = block_bytes};
}

}  // namespace

// --- the target --------------------------------------------------------------------------------

suite::suite() {
    setup.data_reactors = static_cast<std::uint32_t>(GetParam());
    setup.spec.listeners = {{.address = "127.0.0.1", .port = 0}};
    setup.spec.devices = {ram("a", 512), ram("b", 4096)};
    setup.spec.subsystems = {
        {.nqn = std::string(subsystem_nqn),
         .allow_any_host = true,
         .namespaces = {{.nsid = 1, .device = "a"}, {.nsid = 2, .device = "b"}}}};
}

testing::running_target& suite::target() {
    if (target_ == nullptr) target_ = std::make_unique<testing::running_target>(setup);
    return *target_;
}

void suite::restart() { target_ = nullptr; }

nvme::uuid suite::host_id() { return nvme::derive_uuid("a conformance host", 0); }

// --- hosts -------------------------------------------------------------------------------------

host::controller_options suite::host_options() {
    host::controller_options options;
    options.target = target().endpoint();
    options.subnqn = subsystem_nqn;
    options.hostnqn = host_nqn;
    options.hostid = host_id();
    options.keep_alive_ms = 0;
    options.timeout = patience;
    return options;
}

std::unique_ptr<host::controller> suite::connect(const host::controller_options& options) {
    return must(host::controller::connect(options));
}

std::unique_ptr<host::controller> suite::connect_discovery(std::uint32_t keep_alive_ms) {
    host::controller_options options = host_options();
    options.subnqn = nvme::discovery_nqn;
    options.keep_alive_ms = keep_alive_ms;
    return connect(options);
}

host::raw_session suite::raw(const host::ic_req_fields& fields) {
    return must(host::raw_session::open(target().endpoint(), fields, patience));
}

host::connect_parameters suite::parameters(std::uint16_t qid) {
    return {.subnqn = std::string(subsystem_nqn),
            .hostnqn = std::string(host_nqn),
            .hostid = host_id(),
            .qid = qid};
}

host::raw_session suite::raw_io(host::controller& c, std::uint16_t qid, std::uint16_t entries,
                                const host::ic_req_fields& fields, bool flow_control) {
    host::raw_session made = raw(fields);
    host::connect_parameters p = parameters(qid);
    p.cntlid = c.id();
    p.entries = entries;
    p.flow_control = flow_control;
    const host::raw_reply answer = must(made.connect_queue(p));
    if (!nvme::is_success(answer.status()))
        throw std::runtime_error("Connect: " + host::text_of(answer.status()));
    return made;
}

host::raw_session suite::raw_admin(const host::ic_req_fields& fields, std::uint16_t* cntlid) {
    host::raw_session made = raw(fields);
    const host::raw_reply answer = must(made.connect_queue(parameters()));
    if (!nvme::is_success(answer.status()))
        throw std::runtime_error("Connect: " + host::text_of(answer.status()));
    if (cntlid != nullptr) *cntlid = static_cast<std::uint16_t>(answer.answer.dw0.value());
    const nvme::controller_configuration on{
        .en = true, .iosqes = nvme::io_sq_entry_size_log2, .iocqes = nvme::io_cq_entry_size_log2};
    nvme::sqe enable =
        host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, on.pack());
    enable.cid = std::uint16_t{1};
    must(made.run(enable));
    return made;
}

void suite::expect_alive() {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(4096, 0xa11e);
    EXPECT_STATUS(write_blocks(q, 8000, data), sc::success);
    bytes got(data.size());
    EXPECT_STATUS(read_blocks(q, 8000, got), sc::success);
    EXPECT_EQ(got, data);
}

// --- commands ----------------------------------------------------------------------------------

host::reply run(host::queue& q, const host::command& what) {
    return must(host::execute(q, what, host::deadline(patience)));
}

host::reply run_read(host::queue& q, const nvme::sqe& sqe, std::span<std::byte> got) {
    return run(q, {.sqe = sqe, .direction = host::transfer::from_controller, .data = got});
}

host::reply run_write(host::queue& q, const nvme::sqe& sqe, std::span<const std::byte> data,
                      bool in_capsule) {
    bytes copy(data.begin(), data.end());
    return run(q, {.sqe = sqe,
                   .direction = host::transfer::to_controller,
                   .data = copy,
                   .data_in_capsule = in_capsule});
}

nvme::sqe admin_sqe(nvme::admin_opcode opcode, std::uint32_t nsid) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.nsid = nsid;
    return sqe;
}

nvme::sqe identify_sqe(std::uint8_t cns, std::uint32_t nsid) {
    nvme::sqe sqe = admin_sqe(nvme::admin_opcode::identify, nsid);
    nvme::encode_identify(sqe, {.cns = cns});
    return sqe;
}

nvme::sqe log_sqe(nvme::get_log_page what, std::uint32_t nsid) {
    nvme::sqe sqe = admin_sqe(nvme::admin_opcode::get_log_page, nsid);
    nvme::encode_get_log_page(sqe, what);
    return sqe;
}

nvme::sqe feature_sqe(const nvme::get_features& what, std::uint32_t nsid) {
    nvme::sqe sqe = admin_sqe(nvme::admin_opcode::get_features, nsid);
    nvme::encode_get_features(sqe, what);
    return sqe;
}

nvme::sqe feature_sqe(const nvme::set_features& what, std::uint32_t nsid) {
    nvme::sqe sqe = admin_sqe(nvme::admin_opcode::set_features, nsid);
    nvme::encode_set_features(sqe, what);
    return sqe;
}

nvme::sqe io_sqe(nvme::io_opcode opcode, const nvme::block_range& range, std::uint32_t nsid) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.nsid = nsid;
    nvme::encode_block_range(sqe, range);
    return sqe;
}

nvme::sqe raw_sqe(nvme::sqe sqe, std::uint16_t cid, nvme::sgl_descriptor pointer) {
    sqe.cid = cid;
    sqe.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
    sqe.sgl1 = pointer;
    return sqe;
}

nvme::sqe write_of(std::uint32_t blocks, std::uint16_t cid, std::uint64_t slba) {
    return raw_sqe(io_sqe(nvme::io_opcode::write, {.slba = slba, .blocks = blocks}), cid,
                   nvme::make_transport_sgl(blocks * 512));
}

nvme::sqe read_of(std::uint32_t blocks, std::uint16_t cid, std::uint64_t slba) {
    return raw_sqe(io_sqe(nvme::io_opcode::read, {.slba = slba, .blocks = blocks}), cid,
                   nvme::make_transport_sgl(blocks * 512));
}

host::reply read_blocks(host::queue& q, std::uint64_t slba, std::span<std::byte> into,
                        std::uint32_t nsid, std::uint32_t block_bytes) {
    const nvme::block_range range{.slba = slba,
                                  .blocks = static_cast<std::uint32_t>(into.size() / block_bytes)};
    return run_read(q, io_sqe(nvme::io_opcode::read, range, nsid), into);
}

host::reply write_blocks(host::queue& q, std::uint64_t slba, std::span<const std::byte> data,
                         std::uint32_t nsid, std::uint32_t block_bytes, bool fua) {
    const nvme::block_range range{
        .slba = slba, .blocks = static_cast<std::uint32_t>(data.size() / block_bytes), .fua = fua};
    return run_write(q, io_sqe(nvme::io_opcode::write, range, nsid), data);
}

bytes pattern(std::size_t size, std::uint32_t seed) {
    bytes made(size);
    std::uint32_t state = seed * 2654435761u + 1;
    for (std::byte& b : made) {
        state = state * 1664525u + 1013904223u;
        b = static_cast<std::byte>(state >> 24);
    }
    return made;
}

// --- waiting -----------------------------------------------------------------------------------

std::vector<nvme::async_event> await_events(host::controller& c, std::size_t count,
                                            duration within) {
    std::vector<nvme::async_event> all;
    const host::deadline until(within);
    while (all.size() < count && !until.passed() && c.poll()) {
        for (const nvme::async_event& e : c.take_events()) all.push_back(e);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return all;
}

void expect_no_event(host::controller& c) {
    EXPECT_TRUE(await_events(c, 1, std::chrono::milliseconds(50)).empty());
}

bool await_end(host::controller& c, duration within) {
    return testing::eventually([&c] { return !c.poll(); }, within);
}

bool await_end(host::queue& q, duration within) {
    return testing::eventually(
        [&q] {
            q.poll();
            return !q.is_open();
        },
        within);
}

}  // namespace fulmar::conformance
