// What one data reactor has of one device: a completion queue, the registration of its buffer pool,
// receive buffers, answers on their way out, and the connections by queue pair number.
#pragma once

#include "bounds.hpp"
#include "receive_class.hpp"
#include "registered_slots.hpp"
#include "verbs.hpp"

#include <fulmar/base/intrusive.hpp>
#include <fulmar/base/relaxed.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fulmar::transport::rdma {

class rdma_qpair;

/// Counters of one device on one reactor; written by it, readable from any thread.
struct device_counters {
    std::atomic<std::uint64_t> completions{0};
    std::atomic<std::uint64_t> flushed{0};      ///< came back because their queue pair was in error
    std::atomic<std::uint64_t> failed{0};       ///< came back with any other error
    std::atomic<std::uint64_t> strays{0};       ///< completions of nothing that is outstanding
    std::atomic<std::uint64_t> overdue{0};      ///< queue pairs that did not flush in time
    std::atomic<std::uint64_t> receives{0};     ///< present: shared ones at the device
    std::atomic<std::uint64_t> turned_back{0};  ///< commands of connections that have stalled
};

/// Called on: owning data reactor, unless a method says otherwise.
class group_device {
  public:
    /// To who has it; all of that outlives it.
    struct links {
        device_counters& counters;
        engine::message& broken;  ///< posted to the control reactor when a queue is
        void* part;               ///< comes back in device_event
    };
    /// Called on: control reactor.  Errors: no_memory, or what the device says.
    static fulmar::result<std::unique_ptr<group_device>> create(device& where,
                                                                core::poll_group& group,
                                                                const links& to);
    ~group_device();
    group_device(const group_device&) = delete;
    group_device& operator=(const group_device&) = delete;

    // Called on: control reactor.
    /// Completions that one more connection may have outstanding; false: the queue has no room.
    [[nodiscard]] bool reserve(std::uint32_t completions) noexcept;
    void unreserve(std::uint32_t completions) noexcept;
    [[nodiscard]] completion_queue& completions() noexcept { return *completions_; }
    /// Receive slots are shared by connections, else each has its own.
    [[nodiscard]] bool shares_receives() const noexcept { return io_.queue != nullptr; }
    /// What queue `qid` receives from; its queue is null when nothing is shared.
    [[nodiscard]] receive_class& receives_of(std::uint16_t qid) noexcept {
        return qid == 0 ? admin_ : io_;
    }
    /// All of them, for a look at who has stalled.
    template <typename Visit>
    void each_receive_class(Visit&& visit) noexcept {
        visit(admin_);
        visit(io_);
    }
    [[nodiscard]] device& where() noexcept { return *device_; }
    [[nodiscard]] core::poll_group& group() noexcept { return *group_; }
    [[nodiscard]] std::uint32_t capsule_bytes() const noexcept { return capsule_bytes_; }
    /// Gives every shared receive slot to the device, once, before the first connection.
    void begin() noexcept;
    [[nodiscard]] bool begun() const noexcept { return begun_; }

    /// Takes completions and hands them to their connections; true when there were any.
    bool poll() noexcept;
    /// Takes everything that is in the queue now.
    void drain() noexcept;
    /// Whether poll() would find something; may take completions out of the queue to know.
    bool has_completions() noexcept;
    bool arm() noexcept { return broken_ || completions_->arm(); }
    [[nodiscard]] bool broken() const noexcept { return broken_; }

    void add(std::uint32_t number, rdma_qpair& q);
    void remove(std::uint32_t number) noexcept { by_number_.erase(number); }

    /// Lends a shared receive slot to the device again.
    void give_receive(std::uint32_t slot) noexcept;
    [[nodiscard]] std::span<std::byte> receive_slot(std::uint32_t slot) const noexcept {
        return receives_.slot(slot);
    }

    [[nodiscard]] bool has_answer_slot() const noexcept { return !free_answers_.empty(); }
    [[nodiscard]] std::uint32_t take_answer_slot() noexcept;
    void give_answer_slot(std::uint32_t slot) noexcept { free_answers_.push_back(slot); }
    [[nodiscard]] std::span<std::byte> answer_slot(std::uint32_t slot) const noexcept {
        return answers_.slot(slot);
    }
    [[nodiscard]] std::uint32_t answer_key() const noexcept { return answers_.key(); }
    [[nodiscard]] std::uint32_t data_key() const noexcept { return pool_->key(); }

    void count(std::atomic<std::uint64_t> device_counters::*which, std::uint64_t by = 1) noexcept {
        add_relaxed(links_.counters.*which, by);
    }

    void on_events() noexcept;
    engine::member_watch<&group_device::on_events> watch{*this};  ///< of the completion queue
    list_hook group_hook{};

  private:
    group_device(device& where, core::poll_group& group, const links& to);
    static fulmar::result<void> build(group_device& g);
    void hand_out(const ibv_wc& done) noexcept;
    void end_all() noexcept;
    void fail(const char* what) noexcept;

    device* device_;
    core::poll_group* group_;
    links links_;
    // In the order of creation: what uses goes before what is used.
    std::unique_ptr<memory_region> pool_;
    registered_slots receives_;
    registered_slots answers_;
    std::unique_ptr<completion_queue> completions_;
    // Keep-alives must not wait for what I/O queues leave. Slots are numbered through.
    receive_class admin_;
    receive_class io_;
    std::uint32_t capsule_bytes_ = 0;
    std::uint32_t entries_ = 0;
    std::uint32_t reserved_ = 0;  // of `entries_`; control reactor
    boost::unordered_flat_map<std::uint32_t, rdma_qpair*> by_number_;
    std::vector<std::uint32_t> free_answers_;
    std::array<ibv_wc, bounds::completions_per_poll> batch_{};
    std::uint32_t kept_ = 0;  // of `batch_`: taken out of the queue and not handed out
    bool begun_ = false;
    bool broken_ = false;     // the device refuses: nothing of it can be relied on
    bool all_ended_ = false;  // … and every connection has been told
};

}  // namespace fulmar::transport::rdma
