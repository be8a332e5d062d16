// What one data reactor has of a device, as the control reactor sees it: made when a connection
// needs it, made anew when a queue of it has failed, and taken away from there by message.
#pragma once

#include "group_device.hpp"
#include "part_states.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/engine/member_adapters.hpp>

#include <cstdint>
#include <memory>

namespace fulmar::transport::rdma {

class rdma_group;
struct open_device;

/// Called on: control reactor, but for what the members say.
struct device_part {
    device_part(open_device& of, rdma_group& at) noexcept;
    [[nodiscard]] bool serves() const noexcept { return state == part_state::serving; }
    void advance(part_event on) noexcept;
    /// No connection uses it: the data reactor is asked to let go of it.
    void leave() noexcept;

    open_device* owner;
    rdma_group* group;
    device_counters counters;                 ///< of all that were made
    std::unique_ptr<group_device> resources;  ///< null while absent
    part_state state = part_state::absent;
    std::uint32_t users = 0;     ///< connections whose queue pair exists
    std::uint64_t failures = 0;  ///< queues that broke
    instant not_before{};        ///< when it may be made again

    void on_leaving() noexcept;
    void on_left() noexcept;
    void on_broken() noexcept;
    engine::member_message<&device_part::on_leaving> leaving{*this};  ///< to the data reactor
    engine::member_message<&device_part::on_left> left{*this};        ///< and back
    engine::member_message<&device_part::on_broken> broken{*this};    ///< from it: a queue of it is
};

}  // namespace fulmar::transport::rdma
