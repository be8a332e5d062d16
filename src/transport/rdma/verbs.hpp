// The seam under the transport: what it needs of RDMA devices and of their connection manager.
// kernel_verbs.cpp is libibverbs and librdmacm; tests have a fake that errs, flushes and vanishes.
// Work requests and completions are libibverbs' own structures: nothing is translated per command.
#pragma once

#include "private_data.hpp"

#include <fulmar/base/result.hpp>

#include <infiniband/verbs.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace fulmar::transport::rdma {

/// What a device says that it can do.
struct device_facts {
    std::string name;  ///< "rxe0"
    std::uint32_t max_completions = 0;
    std::uint32_t max_work = 0;    ///< work requests of a queue pair, each way
    std::uint32_t max_pieces = 0;  ///< scatter/gather entries of a work request
    std::uint32_t max_read_pieces = 0;
    std::uint32_t max_shared_receives = 0;  ///< 0: no shared receive queues
    std::uint32_t max_message_bytes = 0;
    std::uint8_t max_read_depth = 0;
    std::uint8_t max_read_served = 0;
    bool sends_with_invalidate = false;
    /// iWARP: whoever serves a READ writes into the memory it was asked for, by a key that it is
    /// told. Nobody else's data would be safe from that peer: the buffers have one key.
    bool reads_by_remote_write = false;
};

/// Memory that the device may use, until this is destroyed.
class memory_region {
  public:
    virtual ~memory_region() = default;
    [[nodiscard]] virtual std::uint32_t key() const noexcept = 0;  ///< lkey
};

/// Created and destroyed on the control reactor; used on one data reactor.
class completion_queue {
  public:
    virtual ~completion_queue() = default;
    /// How many were filled in; negative: the queue is broken.
    virtual int poll(std::span<ibv_wc> into) noexcept = 0;
    /// Asks for an event with the next completion.  False: it cannot.
    virtual bool arm() noexcept = 0;
    /// What becomes readable with an event; -1: nothing does, the queue must be polled.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;
    /// Takes the events that made it readable.
    virtual void take_events() noexcept = 0;
};

class shared_receive_queue {
  public:
    virtual ~shared_receive_queue() = default;
    /// 0, or an errno.  Called on: owning data reactor.
    virtual int post(ibv_recv_wr& one) noexcept = 0;
};

/// Created and destroyed on the control reactor.
class queue_pair {
  public:
    virtual ~queue_pair() = default;
    [[nodiscard]] virtual std::uint32_t number() const noexcept = 0;
    [[nodiscard]] virtual std::uint32_t inline_bytes() const noexcept = 0;
    /// 0, or an errno and the first that was not posted.  Called on: owning data reactor.
    virtual int post_send(ibv_send_wr& first, ibv_send_wr*& bad) noexcept = 0;
    virtual int post_receive(ibv_recv_wr& one) noexcept = 0;
    /// Puts it into the error state: everything posted comes back flushed.  Called on: control
    /// reactor.
    virtual void fail() noexcept = 0;
};

struct queue_pair_needs {
    completion_queue* completions = nullptr;
    shared_receive_queue* shared_receives = nullptr;  ///< null: receives of its own
    std::uint32_t send_work = 1;
    std::uint32_t receive_work = 1;
    std::uint32_t pieces = 1;
    std::uint32_t inline_bytes = 0;
    void* owner = nullptr;  ///< comes back in device_event
};

/// What happens to a device or to a queue pair of it, unasked.
struct device_event {
    enum class kind : std::uint8_t {
        queue_pair_broken,
        last_receive,  ///< a failed queue pair takes nothing more from its shared receive queue
        communication_established,
        completions_broken,  ///< a completion queue
        receives_broken,     ///< a shared receive queue
        port_changed,
        device_gone,
        other,
    };
    kind what = kind::other;
    void* owner = nullptr;  ///< as given to what it happened to
    std::string text;
};

/// An open device.
/// Called on: control reactor, all methods.
class device {
  public:
    virtual ~device() = default;
    [[nodiscard]] virtual const device_facts& facts() const noexcept = 0;
    virtual fulmar::result<std::unique_ptr<memory_region>> register_memory(
        std::span<std::byte> memory) = 0;
    virtual fulmar::result<std::unique_ptr<completion_queue>> create_completion_queue(
        std::uint32_t entries, void* owner) = 0;
    virtual fulmar::result<std::unique_ptr<shared_receive_queue>> create_shared_receive_queue(
        std::uint32_t receives, void* owner) = 0;
    /// Readable when next_event() has one; -1: ask every turn.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;
    virtual bool next_event(device_event& into) noexcept = 0;
    /// False once the kernel has taken it away, whether it said so or not.
    [[nodiscard]] virtual bool present() const noexcept = 0;
};

/// Whoever an identifier belongs to derives from this.
struct identifier_owner {
    enum class kind : std::uint8_t { listener, connection };
    explicit identifier_owner(kind k) noexcept : what(k) {}
    const kind what;
};

/// An identifier of the connection manager: a listener, or one connection.
/// Called on: control reactor, all methods.
class identifier {
  public:
    virtual ~identifier() = default;
    /// Null for a listener that is not bound to a device.
    [[nodiscard]] virtual device* where() const noexcept = 0;
    virtual fulmar::result<std::unique_ptr<queue_pair>> create_queue_pair(
        const queue_pair_needs& needs) = 0;
    virtual fulmar::result<void> accept(const queue_shape& shape,
                                        std::span<const std::byte> private_data) noexcept = 0;
    virtual void reject(std::span<const std::byte> private_data) noexcept = 0;
    virtual void disconnect() noexcept = 0;
    /// The connection manager missed the host's confirmation, the device has seen it.
    virtual void confirm() noexcept = 0;
    [[nodiscard]] virtual std::string peer() const = 0;  ///< "192.168.1.2:49152"
    [[nodiscard]] virtual std::string local() const = 0;
    /// Of the peer, as core::address_key() makes it.
    [[nodiscard]] virtual std::uint64_t peer_key() const noexcept = 0;
    identifier_owner* owner = nullptr;
};

struct manager_event {
    enum class kind : std::uint8_t { requested, established, ended, device_removed, other };
    kind what = kind::other;
    identifier* id = nullptr;                ///< whose event; for a request: the listener
    std::unique_ptr<identifier> fresh = {};  ///< requested: the connection to be
    peer_resources resources = {};
    std::array<std::byte, 256> private_data = {};
    std::size_t private_bytes = 0;
    int status = 0;  ///< ended: as the connection manager says
};

/// The connection manager of the process.
/// Called on: control reactor, all methods.
class connection_manager {
  public:
    virtual ~connection_manager() = default;
    /// Readable when next() has one; -1: ask every turn.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;
    virtual bool next(manager_event& into) noexcept = 0;
    /// Errors: unavailable (no RDMA device has this address, now); already_exists;
    /// permission_denied; invalid_argument.
    virtual fulmar::result<std::unique_ptr<identifier>> listen(const std::string& address,
                                                               std::uint16_t& port) = 0;
    /// Nothing made of `d` exists any more: gives up the last hold on it.
    virtual void close(device& d) noexcept = 0;
};

/// Where the connection manager comes from: asked again until there is one.
class manager_source {
  public:
    virtual ~manager_source() = default;
    /// Errors: unavailable (this machine has no RDMA device now); permission_denied.
    virtual fulmar::result<std::unique_ptr<connection_manager>> open() = 0;
};

/// librdmacm and libibverbs.
std::unique_ptr<manager_source> kernel_manager_source();

}  // namespace fulmar::transport::rdma
