// A controller as a host sees it: the admin queue, the I/O queues, and the commands that tools and
// tests need, each waited for with a deadline.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/authenticate.hpp>
#include <fulmar/host/connection.hpp>
#include <fulmar/host/endpoint.hpp>
#include <fulmar/host/execute.hpp>
#include <fulmar/host/fabrics.hpp>
#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/namespace_ids.hpp>
#include <fulmar/nvme/registers.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::host {

struct controller_options {
    endpoint target = {};
    std::string subnqn = {};
    std::string hostnqn = {};  ///< empty: default_host_nqn()
    nvme::uuid hostid = {};    ///< nil: default_host_id()
    std::uint16_t cntlid = nvme::cntlid_dynamic;
    std::uint32_t keep_alive_ms = 15'000;  ///< 0: none
    std::uint32_t async_events = 0;  ///< AERs to keep outstanding; more than AERL+1 is refused
    bool enable = true;  ///< false: stop after Connect, for tests of what comes before CC.EN
    bool flow_control = true;
    bool header_digest = false;
    bool data_digest = false;
    std::uint8_t hpda = 0;
    std::uint32_t max_r2t = 1;
    duration timeout = std::chrono::seconds(10);  ///< of each command
    /// With what the host proves who it is, and the controller has to; the names in it are filled
    /// in here. Null: with nothing.
    std::shared_ptr<security::dhchap_credentials> keys = {};
    /// What its connections are encrypted with, over TCP. Null: nothing.
    std::shared_ptr<const tls_offer> tls = {};
    std::shared_ptr<receive_buffer> receive = {};  ///< null: one of its own for all queues
};

/// One thread. Destruction closes the connections without a word; shutdown() is the polite way.
class controller {
  public:
    /// Connects the admin queue, enables the controller and reads what it is.
    static result<std::unique_ptr<controller>> connect(const controller_options& options);
    ~controller();
    controller(const controller&) = delete;
    controller& operator=(const controller&) = delete;

    [[nodiscard]] queue& admin() noexcept { return *admin_; }
    [[nodiscard]] std::uint16_t id() const noexcept { return cntlid_; }
    [[nodiscard]] const controller_options& options() const noexcept { return options_; }
    [[nodiscard]] const nvme::capabilities& capabilities() const noexcept { return capabilities_; }
    /// As read by connect(); zero when it did not enable.
    [[nodiscard]] const nvme::identify_controller& identity() const noexcept { return *identity_; }
    /// From MDTS; `no_limit` when it names none.
    [[nodiscard]] std::uint64_t max_transfer_bytes() const noexcept;
    /// Data that a capsule of an I/O queue may carry, from IOCCSZ.
    [[nodiscard]] std::uint32_t in_capsule_bytes() const noexcept;
    static constexpr std::uint64_t no_limit = ~std::uint64_t{0};

    // Queues.
    /// Asks for `wanted` I/O queues by feature 07h; how many may be opened.
    result<std::uint32_t> request_io_queues(std::uint32_t wanted);
    /// Opens I/O queue `qid` for `depth` commands outstanding (or as many as CAP.MQES allows) and
    /// owns it. Errors also when the Connect is refused.
    result<queue*> open_io_queue(std::uint16_t qid, std::uint32_t depth);
    /// The same over a connection with other options, for tests.
    result<queue*> open_io_queue(std::uint16_t qid, connection_options options);
    [[nodiscard]] const std::vector<std::unique_ptr<queue>>& io_queues() const noexcept {
        return io_queues_;
    }

    /// One turn of the admin queue: keep alive, asynchronous events. False once it is closed.
    bool poll() noexcept;

    // Commands on the admin queue. Errors: a status other than success, timed_out, the
    // connection's.
    result<reply> execute(const command& what);  ///< any status is a reply
    result<std::uint64_t> property_get(std::uint32_t offset, nvme::property_size size);
    result<void> property_set(std::uint32_t offset, nvme::property_size size, std::uint64_t value);
    result<void> enable();
    result<void> disable();   ///< CC.EN = 0, and waits for CSTS.RDY = 0; I/O queues end
    result<void> shutdown();  ///< CC.SHN = normal, waits, closes everything
    result<std::vector<std::byte>> identify(const nvme::identify_command& what,
                                            std::uint32_t nsid = 0);
    result<nvme::identify_controller> identify_controller();
    result<nvme::identify_namespace> identify_namespace(std::uint32_t nsid);
    result<nvme::namespace_ids> identify_descriptors(std::uint32_t nsid);
    result<std::vector<std::uint32_t>> active_namespaces();
    /// Reads `what.length_bytes` from `what.offset_bytes`, in pieces of at most 4 KiB.
    result<std::vector<std::byte>> get_log(const nvme::get_log_page& what,
                                           std::uint32_t nsid = nvme::nsid_none);
    result<std::uint32_t> get_features(const nvme::get_features& what, std::uint32_t nsid = 0,
                                       std::span<std::byte> data = {});
    result<std::uint32_t> set_features(const nvme::set_features& what, std::uint32_t nsid = 0,
                                       std::span<std::byte> data = {});
    result<void> keep_alive();
    /// Proves once more who we are, on `q`, which goes on meanwhile.
    result<void> authenticate_again(queue& q);

    /// Events that arrived since the last call; their AERs are outstanding again.
    std::vector<nvme::async_event> take_events();

  private:
    struct background;
    explicit controller(controller_options options);
    result<void> start();
    result<void> wait_ready(bool ready);
    /// The one place that knows which fabric carries the queues.
    [[nodiscard]] result<std::unique_ptr<queue>> open_wire(std::uint16_t qid,
                                                           const connection_options& wire) const;
    [[nodiscard]] result<std::shared_ptr<const security::tls_psk>> tls_key_for(
        std::uint16_t qid) const;
    [[nodiscard]] deadline soon() const noexcept { return deadline(options_.timeout); }
    [[nodiscard]] connect_parameters parameters(std::uint16_t qid, std::uint32_t entries) const;
    result<reply> admin_ok(const command& what, const char* what_for);

    controller_options options_;
    std::unique_ptr<queue> admin_;
    std::vector<std::unique_ptr<queue>> io_queues_;
    std::uint16_t cntlid_ = 0;
    nvme::capabilities capabilities_;
    std::unique_ptr<nvme::identify_controller> identity_;
    std::unique_ptr<background> background_;  // keep alive and AERs
};

}  // namespace fulmar::host
