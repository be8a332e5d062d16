// NVMe/RDMA on the control reactor: the connection manager's one event channel, the devices in use,
// and every connection from the host's request to the last reference. Must never: block, or destroy
// a queue pair that a data reactor may still post to.
#pragma once

#include "device_part.hpp"
#include "rdma_connection.hpp"
#include "rdma_group.hpp"
#include "verbs.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/core/counter_source.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::transport::rdma {

class rdma_control;
class rdma_listener;

/// A device in use.
struct open_device {
    open_device(rdma_control& c, device& d) noexcept;
    rdma_control& control;
    device* what;
    bool going = false;
    std::uint32_t users = 0;  ///< connections whose queue pair exists
    std::vector<std::unique_ptr<device_part>> parts;
    void on_events() noexcept;
    engine::member_watch<&open_device::on_events> watch{*this};
};

/// Called on: control reactor, all methods.
class rdma_control final : public core::transport,
                           public core::counter_source,
                           private engine::poller {
  public:
    rdma_control(core::target& target, std::unique_ptr<manager_source> source);
    ~rdma_control() override;

    // core::transport.
    [[nodiscard]] std::string_view name() const noexcept override { return "rdma"; }
    fulmar::result<std::unique_ptr<core::listener>> listen(const core::listener_spec& spec,
                                                           core::listen_mode mode) override;
    fulmar::result<std::unique_ptr<core::transport_group>> create_group(
        core::poll_group& group) override;

    void report(core::counters_report& into) const override;

    // For listeners.
    fulmar::result<std::unique_ptr<identifier>> open_identifier(const core::listener_spec& spec,
                                                                std::uint16_t& port);
    void add(rdma_listener& l) { listeners_.push_back(&l); }
    void remove(rdma_listener& l) noexcept { std::erase(listeners_, &l); }
    [[nodiscard]] core::target& target() noexcept { return target_; }
    [[nodiscard]] engine::reactor& reactor() noexcept { return target_.control_reactor(); }

    // What connections tell.
    void on_answered(rdma_connection& c) noexcept;
    void on_stopped(rdma_connection& c) noexcept;
    void on_reaped(rdma_connection& c) noexcept;
    void on_let_go(rdma_connection& c) noexcept;
    void on_flush_deadline(rdma_connection& c) noexcept;
    // What devices tell.
    void on_device_events(open_device& d) noexcept;
    /// A queue of it is broken: its connections end, it is made anew, others serve meanwhile.
    void on_part_failed(device_part& p, std::string_view sign) noexcept;
    void on_part_left(device_part& p) noexcept;
    /// Why no reactor takes a connection of `d` now; empty when one does.
    [[nodiscard]] std::string trouble_of(const device* d) const;

    /// Devices and connections that exist. For tests.
    [[nodiscard]] std::size_t device_count() const noexcept { return devices_.size(); }
    [[nodiscard]] std::size_t connection_count() const noexcept;

  private:
    bool poll() noexcept override;

    void on_manager_events() noexcept;
    void on_event(manager_event& e) noexcept;
    void on_request(rdma_listener& l, manager_event& e);
    fulmar::result<void> offer(rdma_listener& l, manager_event& e, const queue_shape& shape);
    /// Errors: not_supported, by name.
    static fulmar::result<void> check_kind(const device& d);
    void reject(rdma_listener& l, identifier& id, nvme::rdma::reject_reason why) noexcept;
    [[nodiscard]] queue_limits limits_of(const device_facts& facts) const noexcept;

    void advance(rdma_connection& c, connection_event on) noexcept;
    void on_refused(rdma_connection& c) noexcept;
    void accept(rdma_connection& c) noexcept;
    void end(rdma_connection& c) noexcept;
    void end_until(rdma_connection& c, instant until) noexcept;
    void release(rdma_connection& c, connection_event why) noexcept;
    void count_out(rdma_connection& c) noexcept;
    void destroy(rdma_connection& c) noexcept;

    open_device& open(device& d);
    device_part& part_at(open_device& d, rdma_group& g);
    /// Errors: unavailable; no_memory, or what the device says.
    fulmar::result<void> make_part(device_part& p);
    fulmar::result<device_part*> part_for(open_device& d);
    void settle(device_part& p) noexcept;
    void remove_device(open_device& d, std::string_view sign) noexcept;
    void finish_removal(open_device& d) noexcept;
    void look_for_absent_devices() noexcept;

    core::target& target_;
    std::unique_ptr<manager_source> source_;
    std::unique_ptr<connection_manager> manager_;  // null while there is none
    std::vector<rdma_group*> groups_;
    std::vector<rdma_listener*> listeners_;
    std::vector<std::unique_ptr<open_device>> devices_;
    intrusive_list<rdma_connection, &rdma_connection::control_hook> connections_;
    engine::member_watch<&rdma_control::on_manager_events> manager_watch_{*this};
    engine::member_timer<&rdma_control::look_for_absent_devices> presence_{*this};
    log::limiter complaints_;
};

}  // namespace fulmar::transport::rdma
