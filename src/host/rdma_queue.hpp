// One NVMe/RDMA queue of a controller: the sibling of host::connection. Data goes through buffers
// of its own that are registered, so that callers may use any memory; they are made when it opens
// or when a command first needs a larger one.
#pragma once

#include "rdma_wire.hpp"

#include <fulmar/host/queue.hpp>
#include <fulmar/host/sq_head.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fulmar::host {

struct rdma_queue_options {
    std::uint16_t qid = 0;
    std::uint32_t depth = 31;  ///< commands outstanding at most; the SQ has one entry more
    bool flow_control = true;
    std::uint32_t in_capsule_bytes = 0;  ///< an admin queue's data always goes by key
};

class rdma_queue final : public queue {
  public:
    /// Connects; blocks until `until`. The Connect command is the caller's.  Errors: those of
    /// rdma_wire::connect().
    static result<std::unique_ptr<rdma_queue>> create(const endpoint& to,
                                                      const rdma_queue_options& options,
                                                      const deadline& until);
    ~rdma_queue() override;
    rdma_queue(const rdma_queue&) = delete;
    rdma_queue& operator=(const rdma_queue&) = delete;

    submit_result submit(request& r) noexcept override;
    bool poll() noexcept override;
    void wait(const deadline& until) noexcept override;
    void close() noexcept override;
    [[nodiscard]] bool is_open() const noexcept override { return wire_ != nullptr; }
    [[nodiscard]] std::uint32_t room() const noexcept override;
    [[nodiscard]] std::uint32_t outstanding() const noexcept override { return outstanding_; }
    [[nodiscard]] const error& why_closed() const noexcept override { return why_closed_; }
    [[nodiscard]] const protocol_checker& checker() const noexcept override { return checker_; }
    [[nodiscard]] std::uint64_t now_ns() const noexcept override { return now_ns_; }
    void set_in_capsule_bytes(std::uint32_t bytes) noexcept override;

  private:
    /// The life of one command id.
    struct slot {
        request* owner = nullptr;
        std::uint16_t cid = 0;  // kept when the command is over: who answers it again is seen
        bool sending = false;   // its capsule is at the device
        registered_memory data{};
    };

    rdma_queue(std::unique_ptr<rdma_wire> wire, const rdma_queue_options& options);
    result<void> build();
    [[nodiscard]] bool put_capsule(slot& s, std::size_t index) noexcept;
    [[nodiscard]] bool describe_data(slot& s, std::span<std::byte> capsule,
                                     std::size_t& bytes) noexcept;
    void on_answer(std::uint32_t receive, std::uint32_t bytes) noexcept;
    void finish(slot& s) noexcept;
    void free_when_done(slot& s) noexcept;
    void end(error why) noexcept;

    std::unique_ptr<rdma_wire> wire_;
    rdma_queue_options options_;
    std::uint32_t capsule_bytes_ = 0;
    registered_memory capsules_;
    registered_memory answers_;
    std::vector<slot> slots_;
    std::vector<std::uint16_t> free_;  // a stack
    std::uint16_t entries_;
    sq_head sq_head_;
    std::uint16_t index_mask_;
    std::uint32_t outstanding_ = 0;
    std::uint32_t idle_turns_ = 0;
    std::uint64_t now_ns_ = 0;
    protocol_checker checker_;
    error why_closed_{errc::bad_state, {}, {}, {}};
};

}  // namespace fulmar::host
