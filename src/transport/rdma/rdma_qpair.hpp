// One NVMe/RDMA connection on its data reactor: capsules in, requests to core, READs, WRITEs and
// answers out. rdma_receive.cpp has the way in, rdma_send.cpp the way out. Must never: give memory
// back that the device may still touch, whatever core has decided about the request.
#pragma once

#include "common/request_table.hpp"
#include "common/stall_clock.hpp"
#include "group_device.hpp"
#include "rdma_connection.hpp"
#include "rdma_request.hpp"
#include "send_queue_tracker.hpp"
#include "transfer.hpp"
#include "work_id.hpp"

#include <fulmar/core/qpair.hpp>
#include <fulmar/mem/member_waiter.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fulmar::transport::rdma {

class rdma_group;

/// Called on: owning reactor, all methods.
class rdma_qpair final : public core::qpair {
  public:
    rdma_qpair(rdma_group& group, rdma_connection& link);
    ~rdma_qpair() override;

    /// Makes room for what the host may post, and gives the device its receive buffers.
    /// Null when it has begun; else why it cannot.
    [[nodiscard]] const char* begin() noexcept;

    // Of the completion queue.
    void on_work_done(const work_id& id, ibv_wc_status status) noexcept;
    void on_received(std::uint32_t slot, const ibv_wc& done) noexcept;

    // Of the control reactor.
    void on_peer_gone(core::close_reason why) noexcept;
    /// A failed queue pair takes nothing more from the shared receive queue.
    void on_last_receive() noexcept;
    /// Not everything has come back in time: what has is taken, the rest is not waited for.
    void on_give_up() noexcept;
    /// The queue pair is destroyed: nothing of it touches any memory any more.
    void on_released() noexcept;

    /// Takes in what waits; true when anything was.
    bool parse_input() noexcept;
    /// Posts what is due; true when anything was.
    bool flush() noexcept;
    /// Deadlines of this connection: ends it when one has passed. True while there is something to
    /// look after.
    bool check_deadlines(instant now) noexcept;

    /// While it waits for a buffer: has its namespace's share room again? Then it goes on.
    bool retry_share() noexcept;
    [[nodiscard]] bool can_retry_share() const noexcept;
    /// Notes whether it has stalled, and what it holds then.
    void look_for_stall(instant now) noexcept;
    /// Of a connection that has stalled: answers what it holds beyond its share of the slots.
    void keep_to_share() noexcept;

    [[nodiscard]] rdma_connection& link() noexcept { return link_; }
    /// Its last act, and the last word about it to the control reactor.
    static void destroy(rdma_qpair& q) noexcept;

    list_hook group_hook{};    ///< all connections of the group
    list_hook input_hook{};    ///< capsules wait to be taken in
    list_hook flush_hook{};    ///< work is due
    list_hook blocked_hook{};  ///< capsules wait for a buffer
    list_hook share_hook{};    ///< … because their namespace has its share of them

  protected:
    void fetch_data(core::request& r) noexcept override;
    void answer(core::request& r) noexcept override;
    void stop() noexcept override;
    void for_each_request(void (*visit)(core::request&, void*), void* context) noexcept override;
    bool grow(std::uint32_t depth) noexcept override;
    void connected() noexcept override;
    void retire() noexcept override;
    void describe(core::connection_status& into) const override;
    [[nodiscard]] std::string_view listener_name() const noexcept override {
        return link_.counters->name;
    }
    [[nodiscard]] bool moves_data_by_key() const noexcept override { return true; }

  private:
    using account = send_queue_tracker<rdma_request>;
    /// A capsule that has arrived: its receive slot, until it has been taken in.
    struct capsule {
        std::uint32_t slot = 0;
        std::uint32_t bytes = 0;
    };

    // rdma_receive.cpp
    [[nodiscard]] std::span<const std::byte> bytes_of(const capsule& c) const noexcept;
    bool take(const capsule& c) noexcept;
    void recycle(std::uint32_t slot) noexcept;
    [[nodiscard]] bool is_wrong_queue(const nvme::sqe& command) const noexcept;
    [[nodiscard]] static bool is_connect(const nvme::sqe& command) noexcept;
    bool needs_chunk(const rdma_request& r) const noexcept;
    void deliver(rdma_request& r, std::span<const std::byte> in_capsule) noexcept;
    void deliver_connect(rdma_request& r) noexcept;
    void block(std::uint32_t nsid) noexcept;
    void unblock() noexcept;
    bool take_chunk(const rdma_request& next) noexcept;
    /// The namespace may keep one more chunk of data that came with a command.
    [[nodiscard]] bool may_keep(std::uint32_t nsid) const noexcept;
    bool turn_back() noexcept;
    [[nodiscard]] receive_class& receives() noexcept {
        return device_.receives_of(link_.shape.qid);
    }
    void on_chunk_granted(mem::buffer_chain&& chain) noexcept;

    // rdma_send.cpp
    struct batch;
    bool fill(batch& b) noexcept;
    bool add_read(batch& b) noexcept;
    bool add_to_host(batch& b) noexcept;
    bool add_transfer(batch& b, rdma_request& r, work_kind kind) noexcept;
    void add_answer(batch& b, rdma_request& r) noexcept;
    bool post(batch& b) noexcept;
    using output_list = intrusive_list<rdma_request, &rdma_request::output_hook>;
    void queue(output_list& where, rdma_request& r) noexcept;
    void owed(rdma_request& r) noexcept;
    [[nodiscard]] bool is_overdue(instant now) noexcept;
    void entry_home(rdma_request& r, work_kind kind) noexcept;
    void settle(rdma_request& r) noexcept;
    [[nodiscard]] bool has_output() const noexcept { return !reads_.empty() || !answers_.empty(); }

    [[nodiscard]] rdma_request* allocate() noexcept;
    void give_back(rdma_request& r) noexcept;
    void pin_for_dma(rdma_request& r) noexcept;
    void check_reaped() noexcept;
    void tell_reaped() noexcept;

    rdma_group& rdma_;
    rdma_connection& link_;
    group_device& device_;
    queue_pair& wire_;            // not after stop(): the control reactor destroys it
    const std::uint32_t number_;  // of it

    common::request_table<rdma_request> requests_{*this};
    std::uint32_t unanswered_ = 0;  // in use, and their answer is not at the device

    // In.
    std::vector<capsule> inbox_;  // a ring
    std::uint32_t inbox_first_ = 0;
    std::uint32_t inbox_count_ = 0;
    std::uint32_t own_receives_ = 0;  // at the device, when they are not shared
    mem::member_waiter<&rdma_qpair::on_chunk_granted> chunk_wait_{*this};
    mem::buffer_chain spare_;             // for the in-capsule data that comes next
    bool blocked_ = false;                // waits for `spare_`, or its namespace's share
    std::uint32_t waits_to_keep_ = 0;     // which one that is
    const rdma_request* kept_ = nullptr;  // the last that took a chunk; it may be another by now
    instant blocked_since_{};
    bool stalled_ = false;  // … for longer than a device that works would make it

    // Out.
    account account_;
    output_list reads_;
    output_list answers_;
    std::uint32_t reads_posted_ = 0;

    instant opened_{};
    common::stall_clock work_;  // it comes back, or began to be waited for
    bool handshake_counted_ = true;
    bool stopped_ = false;
    bool last_receive_seen_ = false;
    bool reaped_told_ = false;
    bool released_ = false;
    bool retired_ = false;
};

}  // namespace fulmar::transport::rdma
