// The life of a controller: connecting, enabling, queues, shutting down. Its commands:
// admin_commands.cpp.
#include "background.hpp"
#include "rdma_queue.hpp"

#include <fulmar/host/controller.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace fulmar::host {

namespace {
constexpr std::uint32_t admin_entries = 32;
constexpr auto poll_interval = std::chrono::milliseconds(2);
}  // namespace

controller::controller(controller_options options)
    : options_(std::move(options)),
      identity_(std::make_unique<nvme::identify_controller>()),
      background_(std::make_unique<background>(options_.keep_alive_ms, options_.async_events)) {
    if (options_.hostnqn.empty()) options_.hostnqn = default_host_nqn();
    if (options_.hostid.is_nil()) options_.hostid = default_host_id();
    if (options_.keys) {
        options_.keys->host_nqn = options_.hostnqn;
        options_.keys->subsystem_nqn = options_.subnqn;
    }
    if (!options_.receive) options_.receive = std::make_shared<receive_buffer>();
}

controller::~controller() {
    io_queues_.clear();
    admin_.reset();  // before the background, whose requests it may hold
}

result<std::unique_ptr<controller>> controller::connect(const controller_options& options) {
    std::unique_ptr<controller> made(new controller(options));
    FULMAR_CHECK(made->start());
    return made;
}

connect_parameters controller::parameters(std::uint16_t qid, std::uint32_t entries) const {
    return {.subnqn = options_.subnqn,
            .hostnqn = options_.hostnqn,
            .hostid = options_.hostid,
            .cntlid = qid == 0 ? options_.cntlid : cntlid_,
            .qid = qid,
            .entries = static_cast<std::uint16_t>(entries),
            .keep_alive_ms = options_.keep_alive_ms,
            .flow_control = options_.flow_control};
}

result<std::shared_ptr<const security::tls_psk>> controller::tls_key_for(std::uint16_t qid) const {
    if (!options_.tls) return nullptr;
    const tls_offer& offer = *options_.tls;
    if (qid == 0 ? !offer.admin_queue : !offer.io_queues) return nullptr;
    FULMAR_TRY(auto key,
               derive_tls_psk(offer.key, offer.hostnqn.empty() ? options_.hostnqn : offer.hostnqn,
                              offer.subnqn.empty() ? options_.subnqn : offer.subnqn, offer.version,
                              offer.how));
    return std::make_shared<const security::tls_psk>(std::move(key));
}

result<std::unique_ptr<queue>> controller::open_wire(std::uint16_t qid,
                                                     const connection_options& wire) const {
    switch (options_.target.over) {
        case fabric::tcp: {
            connection_options secured = wire;
            FULMAR_TRY(secured.tls, tls_key_for(qid));
            return connection::create(options_.target, secured, soon());
        }
        case fabric::rdma:
            return rdma_queue::create(options_.target,
                                      {.qid = qid,
                                       .depth = wire.depth,
                                       .flow_control = wire.flow_control,
                                       .in_capsule_bytes = qid == 0 ? 0 : wire.in_capsule_bytes},
                                      soon());
    }
    return fail(errc::not_supported, "no such fabric");
}

result<void> controller::start() {
    const connection_options wire{.depth = admin_entries - 1,
                                  .flow_control = options_.flow_control,
                                  .header_digest = options_.header_digest,
                                  .data_digest = options_.data_digest,
                                  .hpda = options_.hpda,
                                  .max_r2t = options_.max_r2t,
                                  .receive = options_.receive};
    FULMAR_TRY(admin_, open_wire(0, wire));
    FULMAR_TRY(cntlid_, join_queue(*admin_, parameters(0, admin_entries), options_.keys, soon()));
    FULMAR_TRY(const std::uint64_t cap,
               property_get(nvme::register_offset::cap, nvme::property_size::bytes_8));
    capabilities_ = nvme::capabilities::unpack(cap);
    if (!options_.enable) return {};
    FULMAR_CHECK(enable());
    FULMAR_TRY(*identity_, identify_controller());
    background_->turn(*admin_, 0);
    admin_->poll();
    return {};
}

result<void> controller::enable() {
    const nvme::controller_configuration on{
        .en = true, .iosqes = nvme::io_sq_entry_size_log2, .iocqes = nvme::io_cq_entry_size_log2};
    FULMAR_CHECK(property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, on.pack()));
    return wait_ready(true);
}

result<void> controller::disable() {
    FULMAR_CHECK(property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, 0));
    return wait_ready(false);
}

result<void> controller::wait_ready(bool ready) {
    // CAP.TO, but never less than a command's own deadline.
    const deadline until(std::max<duration>(std::chrono::milliseconds(capabilities_.timeout_ms()),
                                            options_.timeout));
    for (;;) {
        FULMAR_TRY(const std::uint64_t raw,
                   property_get(nvme::register_offset::csts, nvme::property_size::bytes_4));
        const auto csts = nvme::controller_status::unpack(static_cast<std::uint32_t>(raw));
        if (csts.cfs)
            return fail(errc::io_error, "the controller reports a fatal status (CSTS.CFS)");
        if (csts.rdy == ready) return {};
        if (until.passed())
            return fail(errc::timed_out, ready ? "the controller did not become ready (CSTS.RDY)"
                                               : "the controller stays ready (CSTS.RDY)");
        std::this_thread::sleep_for(poll_interval);
    }
}

result<void> controller::shutdown() {
    for (const auto& q : io_queues_) q->close();
    const nvme::controller_configuration off{.en = true,
                                             .shn = nvme::shutdown_notification::normal,
                                             .iosqes = nvme::io_sq_entry_size_log2,
                                             .iocqes = nvme::io_cq_entry_size_log2};
    FULMAR_CHECK(property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, off.pack()));
    const deadline until = soon();
    for (;;) {
        FULMAR_TRY(const std::uint64_t raw,
                   property_get(nvme::register_offset::csts, nvme::property_size::bytes_4));
        const auto csts = nvme::controller_status::unpack(static_cast<std::uint32_t>(raw));
        if (csts.shst == nvme::shutdown_status::complete) break;
        if (until.passed())
            return fail(errc::timed_out, "the controller did not finish its shutdown (CSTS.SHST)");
        std::this_thread::sleep_for(poll_interval);
    }
    admin_->close();
    return {};
}

std::uint64_t controller::max_transfer_bytes() const noexcept {
    return identity_->mdts == 0 ? no_limit
                                : std::uint64_t{4096} << (identity_->mdts + capabilities_.mpsmin);
}

std::uint32_t controller::in_capsule_bytes() const noexcept {
    const std::uint32_t capsule = identity_->ioccsz.value() * 16;
    return capsule > sizeof(nvme::sqe) ? capsule - static_cast<std::uint32_t>(sizeof(nvme::sqe))
                                       : 0;
}

result<std::uint32_t> controller::request_io_queues(std::uint32_t wanted) {
    const nvme::queue_counts asked{wanted, wanted};
    FULMAR_TRY(const std::uint32_t dw0,
               set_features({.fid = static_cast<std::uint8_t>(nvme::fid::number_of_queues),
                             .cdw11 = asked.pack()}));
    const auto granted = nvme::queue_counts::unpack(dw0);
    return std::min({granted.submission, granted.completion, wanted});
}

result<queue*> controller::open_io_queue(std::uint16_t qid, std::uint32_t depth) {
    return open_io_queue(
        qid, connection_options{.depth = std::min<std::uint32_t>(depth, capabilities_.mqes),
                                .flow_control = options_.flow_control,
                                .header_digest = options_.header_digest,
                                .data_digest = options_.data_digest,
                                .hpda = options_.hpda,
                                .max_r2t = options_.max_r2t,
                                .in_capsule_bytes = in_capsule_bytes(),
                                .receive = options_.receive});
}

result<queue*> controller::open_io_queue(std::uint16_t qid, connection_options options) {
    connect_parameters who = parameters(qid, options.depth + 1);
    who.flow_control = options.flow_control;
    const std::uint32_t in_capsule = options.in_capsule_bytes;
    // The Connect's 1 KiB of data always goes in the capsule, whatever IOCCSZ says.
    options.in_capsule_bytes = std::max<std::uint32_t>(in_capsule, sizeof(nvme::connect_data));
    FULMAR_TRY(auto made, open_wire(qid, options));
    FULMAR_TRY(const std::uint16_t cntlid, join_queue(*made, who, options_.keys, soon()));
    if (cntlid != cntlid_)
        return fail(errc::io_error,
                    fmt::format("queue {} was connected to controller {}", qid, cntlid));
    made->set_in_capsule_bytes(in_capsule);
    io_queues_.push_back(std::move(made));
    return io_queues_.back().get();
}

result<void> controller::authenticate_again(queue& q) {
    if (!options_.keys) return fail(errc::invalid_argument, "the host has no key");
    return authenticate(q, *options_.keys, soon());
}

bool controller::poll() noexcept {
    if (!admin_->is_open()) return false;
    background_->turn(
        *admin_, static_cast<std::uint64_t>(monotonic_clock{}.now().time_since_epoch().count()));
    admin_->poll();
    return admin_->is_open();
}

std::vector<nvme::async_event> controller::take_events() {
    std::vector<nvme::async_event> taken;
    taken.swap(background_->events);
    background_->events.reserve(64);
    return taken;
}

}  // namespace fulmar::host
