// A host as one poll group knows it: found once, when a Connect is accepted, and the same object
// for all its queues here. What a host may have is counted in it; reservations, masking and rate
// limits find their place in it later.
#pragma once

#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/mem/host_share.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace fulmar::core {

class poll_group;

/// The buffers of one kind (for I/O, or for administration) that one host has, and its requests
/// that wait until it may have more. Called on: owning reactor.
struct host_buffers {
    mem::buffer_share share;    ///< held by its accounts
    std::uint32_t pending = 0;  ///< chunks that the pool owes to requests of it
    intrusive_list<qpair, &qpair::memory_hook>
        waiting;       ///< queues with requests that wait for more
    list_hook hook{};  ///< in the group's list while any wait

    [[nodiscard]] std::uint32_t used() const noexcept { return share.held + pending; }
};

/// Called on: owning reactor.
struct group_host {
    group_host(std::string_view name, std::uint64_t name_key) : nqn(name), key(name_key) {}

    const std::string nqn;
    const std::uint64_t key;      ///< nqn_key() of it
    std::uint32_t queues = 0;     ///< qpairs that refer to it
    std::uint32_t io_queues = 0;  ///< of those
    host_buffers io;
    host_buffers admin;
};

/// The hosts of one poll group. By NQN alone: admission is by name, and a host that varied its
/// identifier would otherwise have a share for each. Called on: owning reactor.
class group_hosts {
  public:
    explicit group_hosts(poll_group& group) noexcept : group_(group) {}
    /// The host of that name, made if need be, with one more queue; null: no memory.
    [[nodiscard]] group_host* join(std::string_view nqn, bool io) noexcept;
    /// One of its queues is gone; with the last of them, so is `host`.
    void leave(group_host& host, bool io) noexcept;
    /// Hosts with I/O queues, who share the buffers.
    [[nodiscard]] std::uint32_t with_io() const noexcept { return with_io_; }
    [[nodiscard]] std::size_t size() const noexcept { return by_name_.size(); }

  private:
    poll_group& group_;
    std::unordered_map<std::string_view, std::unique_ptr<group_host>>
        by_name_;  // keys live in the hosts
    std::uint32_t with_io_ = 0;
};

}  // namespace fulmar::core
